#include "shipper/listen_clash.h"
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/net/http_listen.h"
#include "shipper/shipper_config.h"

enum protocol { TCP, UDP, UNIX };

struct listener {
    const char *kind;
    struct cw_str job; /* of a scrape config; ptr NULL: none */
    enum protocol protocol;
    struct cw_str host; /* UNIX: the whole address */
    int64_t port;
};

struct listeners {
    struct listener *items;
    size_t n;
};

/* A port of 0 is any free one. */
static void add(struct listeners *all, struct listener listener)
{
    if (listener.protocol == UNIX || listener.port > 0)
        all->items[all->n++] = listener;
}

static void add_address(struct listeners *all, const char *kind, struct cw_str job,
                        struct cw_str address, enum protocol protocol)
{
    struct listener listener = {kind, job, protocol, address, 0};
    struct cw_err err;
    if (cw_str_starts(address, CW_STR("unix:")))
        listener.protocol = UNIX;
    else if (cw_http_listen_split(address, &listener.host, &listener.port, &err) < 0)
        return; /* the row of the key tells */
    add(all, listener);
}

static void add_server(struct listeners *all, const char *kind, struct cw_str job,
                       const struct cw_server_config *server)
{
    add(all,
        (struct listener){kind, job, TCP, server->http_listen_address, server->http_listen_port});
}

static void add_scrape(struct listeners *all, const struct cw_scrape_config *scrape)
{
    struct cw_str job = scrape->job_name;
    if (scrape->syslog.seen)
        add_address(all, "syslog", job, scrape->syslog.listen_address,
                    scrape->syslog.listen_protocol == CW_SYSLOG_UDP ? UDP : TCP);
    if (scrape->gelf.seen)
        add_address(all, "gelf", job, scrape->gelf.listen_address,
                    scrape->gelf.listen_protocol == CW_GELF_UDP ? UDP : TCP);
    if (scrape->forward.seen)
        add_address(all, "forward", job, scrape->forward.listen_address, TCP);
    if (scrape->lines.seen)
        add_address(all, "lines", job, scrape->lines.listen_address, TCP);
    if (scrape->loki_push_api.seen)
        add_server(all, "loki_push_api", job, &scrape->loki_push_api.server);
}

static bool is_any(struct cw_str host)
{
    return host.len == 0 || cw_str_eqz(host, "0.0.0.0") || cw_str_eqz(host, "::") ||
           cw_str_eqz(host, "[::]");
}

static bool clash(const struct listener *a, const struct listener *b)
{
    if (a->protocol != b->protocol || a->port != b->port)
        return false;
    if (cw_str_eq(a->host, b->host))
        return true;
    return a->protocol != UNIX && (is_any(a->host) || is_any(b->host));
}

static struct cw_str text_of(const struct listener *listener, struct cw_arena *arena)
{
    if (listener->job.ptr == NULL)
        return cw_str_of(listener->kind);
    return cw_arena_printf(arena, "%s of job \"%.*s\"", listener->kind, CW_STR_ARG(listener->job));
}

static int clash_tell(const struct listener *a, const struct listener *b, struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_str first = text_of(a, arena), second = text_of(b, arena);
    int rc = a->protocol == UNIX
                 ? cw_err_set(err, CW_E_INVALID, "%.*s and %.*s listen at one address: %.*s",
                              CW_STR_ARG(first), CW_STR_ARG(second), CW_STR_ARG(a->host))
                 : cw_err_set(err, CW_E_INVALID, "%.*s and %.*s listen at one port: %s %d",
                              CW_STR_ARG(first), CW_STR_ARG(second),
                              a->protocol == UDP ? "UDP" : "TCP", (int)a->port);
    cw_arena_free(&arena);
    return rc;
}

int cw_listen_clash_check(const struct cw_shipper_config *config, struct cw_err *err)
{
    enum { OF_SCRAPE = 5 };
    const struct cw_scrape_config *scrapes = config->scrape_configs.items;
    struct listeners all = {
        cw_mem_array(OF_SCRAPE * config->scrape_configs.n + 1, sizeof(struct listener)), 0};
    int rc = 0;
    if (!config->server.disable)
        add_server(&all, "server", CW_STR_NONE, &config->server);
    for (size_t i = 0; i < config->scrape_configs.n; i++)
        add_scrape(&all, &scrapes[i]);
    for (size_t i = 1; i < all.n && rc == 0; i++)
        for (size_t k = 0; k < i && rc == 0; k++)
            if (clash(&all.items[k], &all.items[i]))
                rc = clash_tell(&all.items[k], &all.items[i], err);
    free(all.items);
    return rc;
}
