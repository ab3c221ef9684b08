#include "shipper/listen_clash.h"
#include <inttypes.h>
#include <stdlib.h>
#include "common/net/http_listen.h"
#include "shipper/shipper_config.h"

enum protocol { TCP, UDP, UNIX };

struct listener {
    const char *kind;
    const struct cw_scrape_config *job; /* NULL: none */
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

static void add_address(struct listeners *all, const char *kind, const struct cw_scrape_config *job,
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

static void add_server(struct listeners *all, const char *kind, const struct cw_scrape_config *job,
                       const struct cw_server_config *server)
{
    add(all,
        (struct listener){kind, job, TCP, server->http_listen_address, server->http_listen_port});
}

static void add_scrape(struct listeners *all, const struct cw_scrape_config *scrape)
{
    const struct cw_scrape_config *job = scrape;
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

/* `place` says where its job begins. */
static void text_add(const struct listener *listener, bool place, struct cw_buf *out)
{
    cw_buf_addz(out, listener->kind);
    if (listener->job != NULL)
        cw_buf_addf(out, " of job \"%.*s\"", CW_STR_ARG(listener->job->job_name));
    if (listener->job != NULL && place)
        cw_buf_addf(out, " (line %zu)", listener->job->line);
}

static void clash_tell(const struct listener *first, const struct listener *second,
                       const char *file, struct cw_buf *out)
{
    cw_buf_addf(out, "%s:%zu: ", file, second->job->line);
    text_add(first, first->job != second->job, out);
    cw_buf_addz(out, " and ");
    text_add(second, false, out);
    if (first->protocol == UNIX)
        cw_buf_addf(out, " listen at one address: %.*s\n", CW_STR_ARG(first->host));
    else
        cw_buf_addf(out, " listen at one port: %s %" PRId64 "\n",
                    first->protocol == UDP ? "UDP" : "TCP", first->port);
}

size_t cw_listen_clashes_tell(const struct cw_shipper_config *config, const char *file,
                              struct cw_buf *out)
{
    enum { OF_SCRAPE = 5 };
    const struct cw_scrape_config *scrapes = config->scrape_configs.items;
    struct listeners all = {
        cw_mem_array(OF_SCRAPE * config->scrape_configs.n + 1, sizeof(struct listener)), 0};
    size_t n = 0;
    if (!config->server.disable) /* the only one of no job comes first */
        add_server(&all, "server", NULL, &config->server);
    for (size_t i = 0; i < config->scrape_configs.n; i++)
        add_scrape(&all, &scrapes[i]);
    for (size_t i = 1; i < all.n; i++) {
        size_t k = 0;
        while (k < i && !clash(&all.items[k], &all.items[i]))
            k++;
        if (k == i)
            continue;
        clash_tell(&all.items[k], &all.items[i], file, out);
        n++;
    }
    free(all.items);
    return n;
}
