// SPDX-License-Identifier: Apache-2.0
// For the portable wheel alone (XINGLIN_OLD_GLIBC): the few functions whose newest versions ask for
// a glibc above 2.28, bound to versions that both old and new ones have. They are the same
// functions: stat and its kin were inline calls of __xstat before 2.33, threads lived in libpthread
// before 2.34, and exp, log and pow of 2.29 only stopped to set errno.
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>

enum { STAT_VERSION = 1 }; // of struct stat on 64-bit machines

int old_xstat(int version, const char *path, struct stat *info);
int old_fxstat(int version, int fd, struct stat *info);
int old_fxstatat(int version, int directory_fd, const char *path, struct stat *info, int flags);
int old_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                       void *argument);
int old_pthread_join(pthread_t thread, void **result);
double old_exp(double x);
double old_log(double x);
double old_pow(double x, double y);

__asm__(".symver old_xstat, __xstat@GLIBC_2.2.5");
__asm__(".symver old_fxstat, __fxstat@GLIBC_2.2.5");
__asm__(".symver old_fxstatat, __fxstatat@GLIBC_2.4");
__asm__(".symver old_pthread_create, pthread_create@GLIBC_2.2.5");
__asm__(".symver old_pthread_join, pthread_join@GLIBC_2.2.5");
__asm__(".symver old_exp, exp@GLIBC_2.2.5");
__asm__(".symver old_log, log@GLIBC_2.2.5");
__asm__(".symver old_pow, pow@GLIBC_2.2.5");

int stat(const char *path, struct stat *info) {
    return old_xstat(STAT_VERSION, path, info);
}

int fstat(int fd, struct stat *info) {
    return old_fxstat(STAT_VERSION, fd, info);
}

int fstatat(int directory_fd, const char *path, struct stat *info, int flags) {
    return old_fxstatat(STAT_VERSION, directory_fd, path, info, flags);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument) {
    return old_pthread_create(thread, attributes, start, argument);
}

int pthread_join(pthread_t thread, void **result) {
    return old_pthread_join(thread, result);
}

double exp(double x) {
    return old_exp(x);
}

double log(double x) {
    return old_log(x);
}

double pow(double x, double y) {
    return old_pow(x, y);
}
