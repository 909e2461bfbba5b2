// SPDX-License-Identifier: Apache-2.0
#include "server/service_notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void service_notify(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = path ? strlen(path) : 0;
    if (length < 2 || length >= sizeof address.sun_path || (*path != '/' && *path != '@')) return;
    memcpy(address.sun_path, path, length);
    if (*path == '@') address.sun_path[0] = '\0'; // an abstract name
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&address, size);
    (void)sent; // who does not listen misses it
    close(fd);
}

void service_notify_alive(double now_s) {
    static double next_s, interval_s = -1;
    if (interval_s < 0) {
        const char *usec = getenv("WATCHDOG_USEC");
        interval_s = usec ? 1e-6 * strtod(usec, NULL) / 2 : 0;
    }
    if (interval_s <= 0 || now_s < next_s) return;
    next_s = now_s + interval_s;
    service_notify("WATCHDOG=1");
}
