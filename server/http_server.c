// SPDX-License-Identifier: Apache-2.0
// Sets up what io_loop.c runs: addresses, certificates, descriptors, libmicrohttpd's options.
#include "server/http_server.h"

#include "server/io_loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CONNECTION_BYTES = 16 << 10,
    PEM_BYTES_MAX = 1 << 20,
    SPARE_DESCRIPTORS = 128,
    BACKLOG = 1024
};

static bool fail(char *message, size_t message_bytes, const char *what, const char *name,
                 int code) {
    snprintf(message, message_bytes, "%s %s: %s", what, name, strerror(code));
    return false;
}

static void on_connection(void *argument, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what) {
    struct http_server *server = argument;
    struct io_loop *loop = server->loop;
    struct connection_state *state = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        state = calloc(1, sizeof *state);
        *context = state;
        if (!state) return; // its requests are refused
        state->fd = info ? info->connect_fd : -1;
        state->next = loop->connections;
        if (state->next) state->next->previous = state;
        loop->connections = state;
        loop->n_connections++;
        io_loop_enter(state, CONNECTION_HEADERS, server->settings->header_seconds);
    } else if (state) {
        io_loop_unwatch(loop, state);
        if (state->next) state->next->previous = state->previous;
        if (state->previous) state->previous->next = state->next;
        if (loop->connections == state) loop->connections = state->next;
        loop->n_connections--;
        free(state);
        *context = NULL;
    }
}

// A request line has come: from now on its headers have a deadline of their own.
static void *on_request_line(void *argument, const char *uri, struct MHD_Connection *connection) {
    struct http_server *server = argument;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection_state *state = info ? info->socket_context : NULL;
    (void)uri;
    if (state && state->phase == CONNECTION_IDLE)
        io_loop_enter(state, CONNECTION_HEADERS, server->settings->header_seconds);
    return NULL;
}

// libmicrohttpd's own messages may quote what a client sent.
static void keep_silent(void *argument, const char *format, va_list arguments) {
    (void)argument, (void)format, (void)arguments;
}

static bool read_pem(const char *path, bool is_secret, char **text, char *message,
                     size_t message_bytes) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        int code = errno;
        if (fd >= 0) close(fd);
        return fail(message, message_bytes, "cannot read", path, code);
    }
    if (is_secret && (status.st_mode & S_IRWXO)) {
        close(fd);
        snprintf(message, message_bytes, "%s: everybody may read this private key; chmod 600 it",
                 path);
        return false;
    }
    size_t size = status.st_size > 0 ? (size_t)status.st_size : 0, n = 0;
    *text = size > 0 && size <= PEM_BYTES_MAX ? calloc(1, size + 1) : NULL;
    while (*text && n < size) {
        ssize_t got = read(fd, *text + n, size - n);
        if (got <= 0) break;
        n += (size_t)got;
    }
    close(fd);
    if (*text && n == size) return true;
    snprintf(message, message_bytes, "%s: is no PEM file", path);
    return false;
}

// As many connections as are wished, or as the system allows open files for.
static bool raise_limits(struct http_server *server, char *message, size_t message_bytes) {
    struct rlimit limit;
    rlim_t wanted = (rlim_t)server->settings->connections + SPARE_DESCRIPTORS;
    server->loop->connections_max = server->settings->connections;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return true;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) return true;
    if (limit.rlim_cur > 2 * SPARE_DESCRIPTORS) {
        server->loop->connections_max = (int)(limit.rlim_cur - SPARE_DESCRIPTORS);
        return true;
    }
    snprintf(
        message, message_bytes,
        "the system allows only %lu open files (ulimit -n); a server needs %d and one for each "
        "connection",
        (unsigned long)limit.rlim_cur, 2 * SPARE_DESCRIPTORS);
    return false;
}

static bool open_descriptors(struct io_loop *loop) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop->epoll < 0 || loop->wake < 0 || loop->signals < 0) return false;
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = &loop->wake};
    struct epoll_event signal = {.events = EPOLLIN, .data.ptr = &loop->signals};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &wake) == 0 &&
           epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->signals, &signal) == 0;
}

union any_address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static bool find_address(const struct server_settings *settings, union any_address *address) {
    const char *host = strcmp(settings->host, "localhost") == 0 ? "127.0.0.1" : settings->host;
    memset(address, 0, sizeof *address);
    address->four.sin_family = AF_INET;
    address->four.sin_port = htons((uint16_t)settings->port);
    if (inet_pton(AF_INET, host, &address->four.sin_addr) == 1) return true;
    memset(address, 0, sizeof *address);
    address->six.sin6_family = AF_INET6;
    address->six.sin6_port = htons((uint16_t)settings->port);
    return inet_pton(AF_INET6, host, &address->six.sin6_addr) == 1;
}

static bool start_daemon(struct http_server *server, char *message, size_t message_bytes) {
    const struct server_settings *settings = server->settings;
    struct io_loop *loop = server->loop;
    union any_address address;
    find_address(settings, &address);
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (address.any.sa_family == AF_INET6)
        flags |=
            IN6_IS_ADDR_UNSPECIFIED(&address.six.sin6_addr) ? MHD_USE_DUAL_STACK : MHD_USE_IPv6;
    if (settings->tls_cert) flags |= MHD_USE_TLS;
    unsigned per_address =
        settings_is_loopback(settings->host) ? 0 : (unsigned)settings->connections_per_address;
    static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, loop->tls_cert},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, loop->tls_key},
                                   {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities},
                                   {MHD_OPTION_END, 0, NULL}};
    if (!settings->tls_cert) tls[0].option = MHD_OPTION_END;
    loop->daemon = MHD_start_daemon(
        flags, (uint16_t)settings->port, NULL, NULL, http_gate_access, server,
        MHD_OPTION_EXTERNAL_LOGGER, keep_silent, NULL, MHD_OPTION_SOCK_ADDR, &address.any,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_line, server, MHD_OPTION_NOTIFY_COMPLETED, http_gate_completed, server,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)loop->connections_max,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)BACKLOG,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY,
        tls, MHD_OPTION_END);
    if (loop->daemon) return true;
    snprintf(message, message_bytes, "cannot listen on %s port %d: %s", settings->host,
             settings->port,
             settings->tls_cert && errno == 0 ? "the certificate or key is not usable"
                                              : strerror(errno));
    return false;
}

static bool open_loop(struct http_server *server, char *message, size_t message_bytes) {
    const struct server_settings *settings = server->settings;
    struct io_loop *loop = server->loop;
    if (!open_descriptors(loop))
        return fail(message, message_bytes, "cannot make", "an epoll loop", errno);
    if (!raise_limits(server, message, message_bytes)) return false;
    if (settings->tls_cert &&
        (!read_pem(settings->tls_cert, false, &loop->tls_cert, message, message_bytes) ||
         !read_pem(settings->tls_key, true, &loop->tls_key, message, message_bytes)))
        return false;
    errno = 0;
    if (!start_daemon(server, message, message_bytes)) return false;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = loop};
    return (info && epoll_ctl(loop->epoll, EPOLL_CTL_ADD, info->epoll_fd, &event) == 0) ||
           fail(message, message_bytes, "cannot watch", "the sockets", errno);
}

bool http_server_open(struct http_server *server, char *message, size_t message_bytes) {
    server->loop = calloc(1, sizeof *server->loop);
    if (!server->loop) return fail(message, message_bytes, "no memory for", "a server", ENOMEM);
    server->loop->epoll = server->loop->wake = server->loop->signals = -1;
    pthread_mutex_init(&server->loop->mutex, NULL);
    if (open_loop(server, message, message_bytes)) return true;
    http_server_close(server);
    return false;
}

int http_server_port(const struct http_server *server) {
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->loop->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

int http_server_connections_max(const struct http_server *server) {
    return server->loop->connections_max;
}

static void wipe(char *text) {
    if (text) explicit_bzero(text, strlen(text));
    free(text);
}

void http_server_close(struct http_server *server) {
    struct io_loop *loop = server->loop;
    if (!loop) return;
    loop->is_closing = true; // what its routes use may be gone already
    // Suspended connections cannot be closed.
    for (struct connection_state *state = loop->connections; state; state = state->next)
        if (state->exchange && state->exchange->suspended) {
            state->exchange->suspended = false;
            __atomic_store_n(&state->exchange->gone, 1, __ATOMIC_RELAXED);
            MHD_resume_connection(state->exchange->connection);
        }
    if (loop->daemon) {
        MHD_run(loop->daemon);
        MHD_stop_daemon(loop->daemon);
    }
    while (loop->woken) {
        struct exchange *next = loop->woken->next_woken;
        io_loop_let_go(loop->woken);
        http_gate_settle(loop->woken, true);
        exchange_release(loop->woken);
        loop->woken = next;
    }
    if (loop->epoll >= 0) close(loop->epoll);
    if (loop->wake >= 0) close(loop->wake);
    if (loop->signals >= 0) close(loop->signals);
    wipe(loop->tls_cert);
    wipe(loop->tls_key);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
    server->loop = NULL;
}
