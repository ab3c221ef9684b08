#include "shipper/kubernetes_sd.h"
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/kubernetes_api.h"

enum watcher_state { WATCHER_LISTING, WATCHER_WATCHING, WATCHER_WAITING, WATCHER_CLOSED };
static const char *const watcher_names[] = {"listing", "watching", "waiting", "closed"};
enum { WATCHER_MAGIC = 0x6b386177 };

#define LIST_TIMEOUT_NS (30 * CW_NS_PER_S)
/* The server is asked to end a watch after so long; one that does not has been cut off. */
#define WATCH_S 240
#define WATCH_TIMEOUT_NS ((WATCH_S + 30) * CW_NS_PER_S)
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 30000

struct watcher {
    uint32_t magic;
    enum watcher_state state;
    struct cw_discovery_host host;
    const struct cw_scrape *scrape;
    const struct cw_kubernetes_sd_config *config;
    const struct cw_kubernetes_server *server;
    struct cw_str namespace; /* empty: all */
    struct cw_targets *targets;
    uv_timer_t timer;
    struct cw_http_call_handle *call;
    struct cw_buf url;
    struct cw_arena *call_arena; /* of the call under way */
    struct cw_arena *arena;      /* of one answer */
    char *version;               /* where a watch goes on; NULL: list first */
    struct cw_buf line;          /* of the watch, as far as it came */
    int watch_rc;                /* what ended it from within */
    struct cw_err watch_err;
    uint64_t retry_ms;
    bool paging, listed, failing;
};

struct kubernetes {
    struct cw_arena *arena;
    struct cw_kubernetes_server server;
    struct watcher **watchers;
    size_t n;
};

static void list_start(struct watcher *watcher, struct cw_str more);
static void watch_start(struct watcher *watcher);

static void watcher_enter(struct watcher *watcher, enum watcher_state next)
{
    cw_log_debug("kubernetes: %s -> %s", watcher_names[watcher->state], watcher_names[next]);
    watcher->state = next;
}

static bool plain(const struct watcher *watcher)
{
    return cw_relabel_empty(watcher->scrape->relabel);
}

static void version_set(struct watcher *watcher, struct cw_str version)
{
    free(watcher->version);
    watcher->version = version.len > 0 ? cw_str_dupz(version) : NULL;
}

static void on_timer(uv_timer_t *timer)
{
    struct watcher *watcher = CW_CONTAINER_OF(timer, struct watcher, timer);
    CW_CHECK(watcher, WATCHER_MAGIC);
    if (watcher->version != NULL)
        watch_start(watcher);
    else
        list_start(watcher, CW_STR_NONE);
}

static void wait_start(struct watcher *watcher, const char *why)
{
    if (!watcher->failing)
        cw_log_warn("kubernetes at %.*s: %s; trying again", CW_STR_ARG(watcher->server->url), why);
    watcher->failing = true;
    watcher->paging = false;
    watcher_enter(watcher, WATCHER_WAITING);
    uv_timer_start(&watcher->timer, on_timer, watcher->retry_ms, 0);
    watcher->retry_ms = CW_MIN(2 * watcher->retry_ms, RETRY_MAX_MS);
}

static void answered(struct watcher *watcher)
{
    if (watcher->failing)
        cw_log_info("kubernetes at %.*s answers again", CW_STR_ARG(watcher->server->url));
    watcher->failing = false;
    watcher->retry_ms = RETRY_MIN_MS;
}

static void targets_told(struct watcher *watcher)
{
    if (cw_targets_changed(watcher->targets))
        watcher->host.on_targets(watcher->host.arg);
}

static void call_start(struct watcher *watcher, int64_t timeout_ns, cw_http_data_fn on_data,
                       cw_http_done_fn on_done)
{
    static const char *const headers[] = {"Accept: application/json", NULL};
    struct cw_http_call call = {.method = "GET",
                                .url = cw_buf_z(&watcher->url),
                                .headers = headers,
                                .timeout_ns = timeout_ns,
                                .max_answer_bytes = CW_KUBERNETES_ANSWER_BYTES};
    struct cw_err err = {0};
    cw_arena_reset(watcher->call_arena);
    int rc = cw_http_access_apply(&watcher->server->access, watcher->call_arena, &call, &err);
    if (rc == 0)
        rc = cw_http_client_start(watcher->host.http, &call, on_data, on_done, watcher,
                                  &watcher->call, &err);
    if (rc < 0)
        wait_start(watcher, err.text);
}

/* ---- the list ---- */

static void page_put(struct watcher *watcher, const struct cw_kubernetes_list *list)
{
    if (!watcher->paging)
        cw_targets_begin(watcher->targets);
    for (size_t i = 0; i < list->n; i++)
        cw_targets_put(watcher->targets, list->objects[i].key, list->objects[i].found,
                       list->objects[i].nfound);
    watcher->paging = list->more.len > 0;
}

static void on_list(void *arg, int rc, const struct cw_http_answer *answer,
                    const struct cw_err *err)
{
    struct watcher *watcher = arg;
    CW_CHECK(watcher, WATCHER_MAGIC);
    watcher->call = NULL;
    struct cw_kubernetes_list list;
    struct cw_err bad = {0};
    cw_arena_reset(watcher->arena);
    if (rc == 0 && answer->status != 200)
        rc = cw_kubernetes_status(answer->status, answer->body, &bad);
    else if (rc == 0)
        rc = cw_kubernetes_list_decode(answer->body, watcher->config->role, plain(watcher),
                                       watcher->arena, &list, &bad);
    if (rc < 0) {
        wait_start(watcher, bad.code < 0 ? bad.text : err->text);
        return;
    }
    answered(watcher);
    page_put(watcher, &list);
    if (watcher->paging) {
        list_start(watcher, list.more);
        return;
    }
    cw_targets_sweep(watcher->targets);
    version_set(watcher, list.version);
    if (!watcher->listed)
        watcher->host.on_targets(watcher->host.arg); /* with --once this is waited for */
    watcher->listed = true;
    targets_told(watcher);
    watch_start(watcher);
}

static void list_start(struct watcher *watcher, struct cw_str more)
{
    watcher_enter(watcher, WATCHER_LISTING);
    cw_buf_clear(&watcher->url);
    cw_kubernetes_list_url(watcher->config, watcher->server->url, watcher->namespace, more,
                           &watcher->url);
    call_start(watcher, LIST_TIMEOUT_NS, NULL, on_list);
}

/* ---- the watch ---- */

static int event_take(struct watcher *watcher, struct cw_str line, struct cw_err *err)
{
    struct cw_kubernetes_object object;
    struct cw_str version;
    cw_arena_reset(watcher->arena);
    int rc = cw_kubernetes_event_decode(line, watcher->config->role, plain(watcher), watcher->arena,
                                        &object, &version, err);
    if (rc < 0)
        return rc;
    answered(watcher);
    if (version.len > 0)
        version_set(watcher, version);
    if (rc == 1 && object.deleted)
        cw_targets_remove(watcher->targets, object.key);
    else if (rc == 1)
        cw_targets_put(watcher->targets, object.key, object.found, object.nfound);
    return 0;
}

static int on_watch_data(void *arg, struct cw_str bytes, struct cw_err *err)
{
    struct watcher *watcher = arg;
    CW_CHECK(watcher, WATCHER_MAGIC);
    int rc = 0;
    while (rc == 0 && bytes.len > 0) {
        ptrdiff_t newline = cw_str_find_byte(bytes, '\n');
        size_t n = newline >= 0 ? (size_t)newline : bytes.len;
        cw_buf_add(&watcher->line, bytes.ptr, n);
        bytes = cw_str_sub(bytes, n + (newline >= 0), bytes.len);
        if (cw_buf_failed(&watcher->line))
            rc = cw_err_set(err, CW_E_TOO_LARGE, "an object of more than %u bytes",
                            CW_KUBERNETES_OBJECT_BYTES);
        else if (newline >= 0 && watcher->line.len > 0)
            rc = event_take(watcher, cw_buf_str(&watcher->line), err);
        if (newline >= 0)
            cw_buf_clear(&watcher->line);
    }
    watcher->watch_rc = rc;
    if (rc < 0)
        watcher->watch_err = *err;
    targets_told(watcher);
    return rc;
}

static void on_watch_end(void *arg, int rc, const struct cw_http_answer *answer,
                         const struct cw_err *err)
{
    struct watcher *watcher = arg;
    CW_CHECK(watcher, WATCHER_MAGIC);
    watcher->call = NULL;
    struct cw_err bad = {0};
    if (watcher->watch_rc < 0) {
        rc = watcher->watch_rc;
        bad = watcher->watch_err;
    } else if (rc == 0 && answer->status != 200) {
        rc = cw_kubernetes_status(answer->status, cw_buf_str(&watcher->line), &bad);
    }
    if (rc == CW_E_NOT_FOUND) { /* that version is forgotten: nothing is wrong */
        version_set(watcher, CW_STR_NONE);
        list_start(watcher, CW_STR_NONE);
    } else if (rc == CW_E_TIMEOUT) {
        watch_start(watcher);
    } else if (rc < 0) {
        if (rc == CW_E_INVALID || rc == CW_E_TOO_LARGE)
            version_set(watcher, CW_STR_NONE); /* what could not be read is listed */
        wait_start(watcher, bad.code < 0 ? bad.text : err->text);
    } else {
        watch_start(watcher);
    }
}

static void watch_start(struct watcher *watcher)
{
    watcher_enter(watcher, WATCHER_WATCHING);
    watcher->watch_rc = 0;
    cw_buf_clear(&watcher->line);
    cw_buf_clear(&watcher->url);
    cw_kubernetes_watch_url(watcher->config, watcher->server->url, watcher->namespace,
                            cw_str_of(watcher->version), WATCH_S, &watcher->url);
    call_start(watcher, WATCH_TIMEOUT_NS, on_watch_data, on_watch_end);
}

/* ---- life ---- */

static struct watcher *watcher_new(struct kubernetes *kubernetes,
                                   const struct cw_discovery_host *host,
                                   const struct cw_scrape *scrape,
                                   const struct cw_kubernetes_sd_config *config,
                                   struct cw_str namespace)
{
    struct watcher *watcher = cw_mem_new(sizeof *watcher);
    watcher->magic = WATCHER_MAGIC;
    watcher->host = *host;
    watcher->scrape = scrape;
    watcher->config = config;
    watcher->server = &kubernetes->server;
    watcher->namespace = namespace;
    watcher->targets = cw_targets_new(host->sources, scrape);
    watcher->arena = cw_arena_new();
    watcher->call_arena = cw_arena_new();
    watcher->retry_ms = RETRY_MIN_MS;
    cw_buf_init(&watcher->url, SIZE_MAX);
    cw_buf_init(&watcher->line, CW_KUBERNETES_OBJECT_BYTES);
    uv_timer_init(host->loop, &watcher->timer);
    return watcher;
}

static void *kubernetes_new(const struct cw_discovery_host *host, const struct cw_scrape *scrape,
                            const void *config)
{
    const struct cw_kubernetes_sd_config *sd = config;
    struct kubernetes *kubernetes = cw_mem_new(sizeof *kubernetes);
    struct cw_err err = {0};
    kubernetes->arena = cw_arena_new();
    kubernetes->watchers = cw_mem_array(sd->namespaces.n + 2, sizeof(struct watcher *));
    if (cw_kubernetes_server_find(sd, CW_KUBERNETES_ACCOUNT, kubernetes->arena, &kubernetes->server,
                                  &err) < 0) {
        cw_log_error("kubernetes_sd_configs: %s", err.text);
        return kubernetes;
    }
    for (size_t i = 0; i < sd->namespaces.n; i++)
        kubernetes->watchers[kubernetes->n++] =
            watcher_new(kubernetes, host, scrape, sd, sd->namespaces.items[i]);
    if (sd->own_namespace || sd->namespaces.n == 0)
        kubernetes->watchers[kubernetes->n++] =
            watcher_new(kubernetes, host, scrape, sd,
                        sd->own_namespace ? kubernetes->server.own_namespace : CW_STR_NONE);
    return kubernetes;
}

static void kubernetes_start(void *self)
{
    struct kubernetes *kubernetes = self;
    for (size_t i = 0; i < kubernetes->n; i++)
        list_start(kubernetes->watchers[i], CW_STR_NONE);
}

static bool kubernetes_listed(const void *self)
{
    const struct kubernetes *kubernetes = self;
    for (size_t i = 0; i < kubernetes->n; i++)
        if (!kubernetes->watchers[i]->listed)
            return false;
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    struct watcher *watcher = CW_CONTAINER_OF((uv_timer_t *)handle, struct watcher, timer);
    CW_CHECK(watcher, WATCHER_MAGIC);
    cw_targets_free(&watcher->targets);
    cw_arena_free(&watcher->arena);
    cw_arena_free(&watcher->call_arena);
    cw_buf_fini(&watcher->url);
    cw_buf_fini(&watcher->line);
    free(watcher->version);
    watcher->magic = 0;
    free(watcher);
}

static void kubernetes_close(void *self)
{
    struct kubernetes *kubernetes = self;
    for (size_t i = 0; i < kubernetes->n; i++) {
        struct watcher *watcher = kubernetes->watchers[i];
        CW_CHECK(watcher, WATCHER_MAGIC);
        if (watcher->call != NULL)
            cw_http_client_abort(watcher->host.http, &watcher->call);
        watcher_enter(watcher, WATCHER_CLOSED);
        uv_close((uv_handle_t *)&watcher->timer, on_closed);
    }
    free(kubernetes->watchers);
    cw_arena_free(&kubernetes->arena);
    free(kubernetes);
}

const struct cw_discovery_def cw_kubernetes_sd = {kubernetes_new, kubernetes_start,
                                                  kubernetes_listed, kubernetes_close};
