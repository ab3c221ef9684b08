#include "common/net/http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/str.h"

enum { LISTEN_BACKLOG = 1024, HOST_BYTES = 256, PORT_BYTES = 8 };

struct host_port {
    char host[HOST_BYTES]; /* empty: all addresses */
    char port[PORT_BYTES];
};

int cw_http_listen_split(struct cw_str listen, struct cw_str *host, int64_t *port,
                         struct cw_err *err)
{
    ptrdiff_t colon = -1;
    for (size_t i = 0; i < listen.len; i++) {
        if (listen.ptr[i] == ':')
            colon = (ptrdiff_t)i;
    }
    *host = cw_str_sub(listen, 0, colon < 0 ? 0 : (size_t)colon);
    struct cw_str number = cw_str_sub(listen, (size_t)(colon + 1), listen.len);
    if (colon < 0 || !cw_str_to_i64(number, port) || *port < 0 || *port > 65535 ||
        host->len >= HOST_BYTES)
        return cw_err_set(err, CW_E_INVALID,
                          "\"%.*s\" is no address: HOST:PORT, [IPv6]:PORT or :PORT",
                          CW_STR_ARG(listen));
    if (host->len > 0 && host->ptr[0] != '[' && cw_str_find_byte(*host, ':') >= 0)
        return cw_err_set(err, CW_E_INVALID,
                          "\"%.*s\": an IPv6 address stands in brackets: [::1]:3100",
                          CW_STR_ARG(listen));
    int rc = cw_http_host_check(*host, err);
    return rc < 0 ? cw_err_wrap(err, "\"%.*s\"", CW_STR_ARG(cw_str_sub(listen, 0, 80))) : 0;
}

static bool is_ipv6(struct cw_str text)
{
    struct in6_addr ignored;
    char z[INET6_ADDRSTRLEN];
    ptrdiff_t zone = cw_str_find_byte(text, '%');
    size_t len = zone < 0 ? text.len : (size_t)zone;
    if (len >= sizeof z || (zone >= 0 && len + 1 == text.len))
        return false;
    memcpy(z, text.ptr, len);
    z[len] = '\0';
    return inet_pton(AF_INET6, z, &ignored) == 1;
}

/* A name that DNS or /etc/hosts may know; an IPv4 address is written with the same letters. */
static bool is_host_name(struct cw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '-' && c != '_' && (unsigned char)c < 0x80)
            return false;
    }
    return text.len < HOST_BYTES;
}

int cw_http_host_check(struct cw_str host, struct cw_err *err)
{
    struct cw_str inner = host;
    bool brackets = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (brackets)
        inner = cw_str_sub(host, 1, host.len - 1);
    if (is_ipv6(inner) || (!brackets && is_host_name(host)))
        return 0;
    return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is neither an IP address nor the name of a host",
                      CW_STR_ARG(cw_str_sub(host, 0, 80)));
}

static int split_address(const char *listen, struct host_port *out, struct cw_err *err)
{
    struct cw_str host;
    int64_t port;
    int rc = cw_http_listen_split(cw_str_of(listen), &host, &port, err);
    if (rc < 0)
        return rc;
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = cw_str_sub(host, 1, host.len - 1);
    memcpy(out->host, host.ptr, host.len);
    out->host[host.len] = '\0';
    snprintf(out->port, sizeof out->port, "%u", (unsigned)port);
    return 0;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const void *)address;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/* One candidate: the descriptor, or -1 with errno. */
static int bind_one(const struct addrinfo *info)
{
    int one = 1, zero = 0;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    /* A restart must not wait for connections of the last run. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero); /* "[::]" takes IPv4 too */
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int describe(int fd, struct cw_http_listen *out, struct cw_err *err)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    char host[64], port[PORT_BYTES];
    if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
        return cw_err_errno(err, CW_E_IO, errno, "getsockname");
    if (getnameinfo((struct sockaddr *)&bound, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return cw_err_set(err, CW_E_INTERNAL, "getnameinfo: cannot write the bound address");
    const char *form = bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s";
    snprintf(out->address, sizeof out->address, form, host, port);
    out->loopback = is_loopback((struct sockaddr *)&bound);
    out->fd = fd;
    return 0;
}

int cw_http_listen_check(const char *listen, struct cw_err *err)
{
    struct host_port where;
    return split_address(listen, &where, err);
}

int cw_http_listen_open(const char *listen, struct cw_http_listen *out, struct cw_err *err)
{
    struct host_port where;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *infos = NULL;
    out->fd = -1;
    int rc = split_address(listen, &where, err);
    if (rc < 0)
        return rc;
    if (where.host[0] == '\0') {
        /* One IPv6 socket takes both; a machine without IPv6 gets the second try. */
        strcpy(where.host, "::");
        hints.ai_family = AF_INET6;
        if (getaddrinfo(where.host, where.port, &hints, &infos) == 0) {
            out->fd = bind_one(infos);
            freeaddrinfo(infos);
            if (out->fd >= 0)
                return describe(out->fd, out, err);
        }
        strcpy(where.host, "0.0.0.0");
        hints.ai_family = AF_INET;
    }
    int failed = getaddrinfo(where.host, where.port, &hints, &infos);
    if (failed != 0)
        return cw_err_set(err, CW_E_UNAVAILABLE, "listen on %s: %s", listen, gai_strerror(failed));
    int errnum = 0;
    for (struct addrinfo *at = infos; at != NULL && out->fd < 0; at = at->ai_next) {
        out->fd = bind_one(at);
        errnum = errno;
    }
    freeaddrinfo(infos);
    if (out->fd < 0)
        return cw_err_errno(err, CW_E_UNAVAILABLE, errnum, "listen on %s", listen);
    rc = describe(out->fd, out, err);
    if (rc < 0) {
        close(out->fd);
        out->fd = -1;
    }
    return rc;
}
