#include "shipper/datagrams.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/net/http_listen.h"

enum { DATAGRAM_BYTES = 65536 };

struct cw_datagrams {
    uv_udp_t udp;
    struct cw_datagrams_options options;
    bool held, closing;
    char address[CW_HTTP_ADDRESS_BYTES];
    char bytes[DATAGRAM_BYTES];
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct cw_datagrams *datagrams = handle->data;
    (void)suggested;
    *out = uv_buf_init(datagrams->bytes, DATAGRAM_BYTES);
}

static void on_datagram(uv_udp_t *udp, ssize_t nread, const uv_buf_t *buf,
                        const struct sockaddr *from, unsigned flags)
{
    struct cw_datagrams *datagrams = udp->data;
    char peer[INET6_ADDRSTRLEN] = "";
    if (nread < 0)
        return; /* an error of one datagram: the next may be fine */
    if (from == NULL) {
        datagrams->options.on_pause(datagrams->options.arg); /* the socket is empty */
        return;
    }
    (void)uv_ip_name(from, peer, sizeof peer);
    const char *plain = strncmp(peer, "::ffff:", 7) == 0 && strchr(peer, '.') ? peer + 7 : peer;
    datagrams->options.on_datagram(datagrams->options.arg, cw_str_make(buf->base, (size_t)nread),
                                   plain);
    if (datagrams->closing || datagrams->options.room(datagrams->options.arg))
        return;
    datagrams->held = true;
    uv_udp_recv_stop(udp);
    datagrams->options.on_pause(datagrams->options.arg);
}

static void address_describe(struct cw_datagrams *datagrams)
{
    struct sockaddr_storage bound;
    int len = sizeof bound;
    char name[INET6_ADDRSTRLEN] = "";
    if (uv_udp_getsockname(&datagrams->udp, (struct sockaddr *)&bound, &len) < 0)
        return;
    bool v6 = bound.ss_family == AF_INET6;
    (void)uv_ip_name((struct sockaddr *)&bound, name, sizeof name);
    uint16_t port = ntohs(v6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                             : ((struct sockaddr_in *)&bound)->sin_port);
    snprintf(datagrams->address, sizeof datagrams->address, v6 ? "[%s]:%u" : "%s:%u", name,
             (unsigned)port);
}

static int address_bind(struct cw_datagrams *datagrams, const char *address, struct cw_err *err)
{
    struct cw_str host;
    int64_t port;
    int rc = cw_http_listen_split(cw_str_of(address), &host, &port, err);
    if (rc < 0)
        return rc;
    if (host.len > 1 && host.ptr[0] == '[')
        host = cw_str_sub(host, 1, host.len - 1);
    char service[24];
    snprintf(service, sizeof service, "%d", (int)port);
    char *node = host.len > 0 ? cw_str_dupz(host) : NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    hints.ai_family = node == NULL ? AF_INET6 : AF_UNSPEC; /* [::] takes IPv4 too */
    int failed = getaddrinfo(node, service, &hints, &found);
    if (failed == 0)
        failed = uv_udp_bind(&datagrams->udp, found->ai_addr, 0);
    else
        failed = UV_EAI_NONAME;
    if (found != NULL)
        freeaddrinfo(found);
    free(node);
    return failed < 0
               ? cw_err_set(err, CW_E_UNAVAILABLE, "listen on %s: %s", address, uv_strerror(failed))
               : 0;
}

int cw_datagrams_open(uv_loop_t *loop, const char *address,
                      const struct cw_datagrams_options *options, struct cw_datagrams **out,
                      struct cw_err *err)
{
    struct cw_datagrams *datagrams = cw_mem_new(sizeof *datagrams);
    int buffer = CW_DATAGRAMS_BUFFER_BYTES;
    datagrams->options = *options;
    uv_udp_init(loop, &datagrams->udp);
    datagrams->udp.data = datagrams;
    int rc = address_bind(datagrams, address, err);
    if (rc == 0) {
        (void)uv_recv_buffer_size((uv_handle_t *)&datagrams->udp, &buffer);
        address_describe(datagrams);
        int uv = uv_udp_recv_start(&datagrams->udp, on_alloc, on_datagram);
        if (uv < 0)
            rc = cw_err_set(err, CW_E_UNAVAILABLE, "listen on %s: %s", address, uv_strerror(uv));
    }
    if (rc < 0)
        cw_datagrams_close(&datagrams);
    *out = datagrams;
    return rc;
}

const char *cw_datagrams_address(const struct cw_datagrams *datagrams)
{
    return datagrams->address;
}

void cw_datagrams_resume(struct cw_datagrams *datagrams)
{
    if (!datagrams->held || datagrams->closing)
        return;
    datagrams->held = false;
    (void)uv_udp_recv_start(&datagrams->udp, on_alloc, on_datagram);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void cw_datagrams_close(struct cw_datagrams **datagrams)
{
    struct cw_datagrams *d = *datagrams;
    *datagrams = NULL;
    if (d == NULL)
        return;
    d->closing = true;
    uv_close((uv_handle_t *)&d->udp, on_closed);
}
