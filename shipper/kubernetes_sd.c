#include "shipper/kubernetes_sd.h"
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "shipper/kubernetes_api.h"
#include "shipper/kubernetes_store.h"

enum watcher_state { WATCHER_LISTING, WATCHER_WATCHING, WATCHER_WAITING, WATCHER_CLOSED };
static const char *const watcher_names[] = {"listing", "watching", "waiting", "closed"};
enum { WATCHER_MAGIC = 0x6b386177 };

#define LIST_TIMEOUT_NS (30 * CW_NS_PER_S)
/* The server is asked to end a watch after so long; one that does not has been cut off. */
#define WATCH_S 240
#define WATCH_TIMEOUT_NS ((WATCH_S + 30) * CW_NS_PER_S)
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 30000

struct kubernetes;

struct watcher {
    uint32_t magic;
    enum watcher_state state;
    struct cw_discovery_host host;
    struct kubernetes *kubernetes;
    const struct cw_kubernetes_sd_config *config;
    const struct cw_kubernetes_server *server;
    int kind;                /* enum cw_kubernetes_role: of what it watches */
    struct cw_str namespace; /* empty: all */
    struct cw_targets *targets;
    struct cw_kubernetes_store *store; /* NULL: nothing is made of several objects */
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
    int told_status; /* with which it fails */
    bool paging, listed, failing;
};

struct kubernetes {
    struct cw_arena *arena, *scratch; /* scratch: of one object */
    struct cw_kubernetes_server server;
    struct cw_kubernetes_view view;
    struct watcher **watchers; /* those of other kinds than the role's come first */
    size_t n, njoined;
    uint64_t *refs; /* to what the object at hand looked up */
    size_t nrefs, refs_cap;
};

static void list_start(struct watcher *watcher, struct cw_str more);
static void watch_start(struct watcher *watcher);

static void watcher_enter(struct watcher *watcher, enum watcher_state next)
{
    cw_log_debug("kubernetes: %s -> %s", watcher_names[watcher->state], watcher_names[next]);
    watcher->state = next;
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

/* It is told once, and again when it fails otherwise: with another status, or with one at last (0: there is no answer). */
static void wait_start(struct watcher *watcher, int status, const char *why)
{
    if (!watcher->failing || watcher->told_status != status)
        cw_log_warn("kubernetes at %.*s: %s; trying again", CW_STR_ARG(watcher->server->url), why);
    watcher->failing = true;
    watcher->told_status = status;
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

static void targets_told(struct kubernetes *kubernetes)
{
    bool changed = false;
    for (size_t i = 0; i < kubernetes->n; i++)
        changed |= cw_targets_changed(kubernetes->watchers[i]->targets);
    if (changed)
        kubernetes->watchers[0]->host.on_targets(kubernetes->watchers[0]->host.arg);
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
        wait_start(watcher, 0, err.text);
}

/* ---- objects that depend on others ---- */

static uint64_t ref_of(int kind, struct cw_str key)
{
    return cw_hash64(key.ptr, key.len) + (uint64_t)kind;
}

static struct cw_str on_find(void *arg, int kind, struct cw_str key)
{
    struct kubernetes *kubernetes = arg;
    struct cw_str text = CW_STR_NONE;
    if (kubernetes->nrefs == kubernetes->refs_cap) {
        kubernetes->refs_cap = kubernetes->refs_cap ? 2 * kubernetes->refs_cap : 16;
        kubernetes->refs =
            cw_mem_resize(kubernetes->refs, kubernetes->refs_cap * sizeof *kubernetes->refs);
    }
    kubernetes->refs[kubernetes->nrefs++] = ref_of(kind, key);
    for (size_t i = 0; i < kubernetes->njoined && text.ptr == NULL; i++)
        if (kubernetes->watchers[i]->kind == kind)
            text = cw_kubernetes_store_get(kubernetes->watchers[i]->store, key);
    return text;
}

/* Makes the targets of an object of the role out of its text. */
static void joined_put(struct watcher *watcher, struct cw_str key, struct cw_str text)
{
    struct kubernetes *kubernetes = watcher->kubernetes;
    struct cw_kubernetes_object object;
    kubernetes->nrefs = 0;
    cw_kubernetes_text_decode(key, text, &kubernetes->view, kubernetes->scratch, &object);
    cw_targets_put(watcher->targets, key, object.found, object.nfound);
    cw_kubernetes_store_refer(watcher->store, key, kubernetes->refs, kubernetes->nrefs);
    cw_arena_reset(kubernetes->scratch);
}

/* Another object has come, changed or gone: whoever looked it up is made anew. */
static void dependents_put(const struct watcher *watcher, struct cw_str key)
{
    struct kubernetes *kubernetes = watcher->kubernetes;
    uint64_t ref = ref_of(watcher->kind, key);
    for (size_t i = kubernetes->njoined; i < kubernetes->n; i++) {
        struct watcher *own = kubernetes->watchers[i];
        for (size_t k = 0; k < cw_kubernetes_store_count(own->store); k++) {
            struct cw_str own_key, text = cw_kubernetes_store_at(own->store, k, &own_key);
            if (cw_kubernetes_store_refers(own->store, k, ref))
                joined_put(own, own_key, text);
        }
    }
}

static void on_gone(void *arg, struct cw_str key)
{
    const struct watcher *watcher = arg;
    if (watcher->kind != watcher->config->role)
        dependents_put(watcher, key);
}

static void object_put(struct watcher *watcher, const struct cw_kubernetes_object *object)
{
    if (watcher->store == NULL) {
        cw_targets_put(watcher->targets, object->key, object->found, object->nfound);
        return;
    }
    bool changed = cw_kubernetes_store_put(watcher->store, object->key, object->text);
    if (watcher->kind == watcher->config->role) {
        if (changed || !cw_targets_keep(watcher->targets, object->key))
            joined_put(watcher, object->key, object->text);
    } else if (changed) {
        dependents_put(watcher, object->key);
    }
}

static void object_remove(struct watcher *watcher, struct cw_str key)
{
    cw_targets_remove(watcher->targets, key);
    if (watcher->store != NULL && cw_kubernetes_store_remove(watcher->store, key))
        on_gone(watcher, key);
}

/* ---- the list ---- */

static void page_put(struct watcher *watcher, const struct cw_kubernetes_list *list)
{
    if (!watcher->paging) {
        cw_targets_begin(watcher->targets);
        if (watcher->store != NULL)
            cw_kubernetes_store_begin(watcher->store);
    }
    for (size_t i = 0; i < list->n; i++)
        object_put(watcher, &list->objects[i]);
    watcher->paging = list->more.len > 0;
}

static bool all_listed(const struct kubernetes *kubernetes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!kubernetes->watchers[i]->listed)
            return false;
    return true;
}

/* Once what they are made of is known, those of the role are asked for. */
static void role_start(struct kubernetes *kubernetes)
{
    for (size_t i = kubernetes->njoined; i < kubernetes->n; i++)
        list_start(kubernetes->watchers[i], CW_STR_NONE);
}

/* The list is whole. */
static void listed(struct watcher *watcher)
{
    struct kubernetes *kubernetes = watcher->kubernetes;
    bool first = !watcher->listed, joined = watcher->kind != watcher->config->role;
    watcher->listed = true;
    cw_targets_sweep(watcher->targets);
    if (watcher->store != NULL)
        cw_kubernetes_store_sweep(watcher->store, on_gone, watcher);
    if (first && joined && all_listed(kubernetes, kubernetes->njoined))
        role_start(kubernetes);
    if (first)
        watcher->host.on_targets(watcher->host.arg); /* with --once this is waited for */
    targets_told(kubernetes);
}

static void on_list(void *arg, int rc, const struct cw_http_answer *answer,
                    const struct cw_err *err)
{
    struct watcher *watcher = arg;
    CW_CHECK(watcher, WATCHER_MAGIC);
    watcher->call = NULL;
    struct cw_kubernetes_list list;
    struct cw_err bad = {0};
    int status = rc == 0 ? answer->status : 0;
    cw_arena_reset(watcher->arena);
    if (rc == 0 && answer->status != 200)
        rc = cw_kubernetes_status(answer->status, answer->body, &bad);
    else if (rc == 0)
        rc = cw_kubernetes_list_decode(answer->body, watcher->kind, &watcher->kubernetes->view,
                                       watcher->arena, &list, &bad);
    if (rc < 0) {
        wait_start(watcher, status, bad.code < 0 ? bad.text : err->text);
        return;
    }
    answered(watcher);
    page_put(watcher, &list);
    if (watcher->paging) {
        list_start(watcher, list.more);
        return;
    }
    version_set(watcher, list.version);
    listed(watcher);
    watch_start(watcher);
}

static void list_start(struct watcher *watcher, struct cw_str more)
{
    watcher_enter(watcher, WATCHER_LISTING);
    cw_buf_clear(&watcher->url);
    cw_kubernetes_list_url(watcher->config, watcher->kind, watcher->server->url, watcher->namespace,
                           more, &watcher->url);
    call_start(watcher, LIST_TIMEOUT_NS, NULL, on_list);
}

/* ---- the watch ---- */

static int event_take(struct watcher *watcher, struct cw_str line, struct cw_err *err)
{
    struct cw_kubernetes_object object;
    struct cw_str version;
    cw_arena_reset(watcher->arena);
    int rc = cw_kubernetes_event_decode(line, watcher->kind, &watcher->kubernetes->view,
                                        watcher->arena, &object, &version, err);
    if (rc < 0)
        return rc;
    answered(watcher);
    if (version.len > 0)
        version_set(watcher, version);
    if (rc == 1 && object.deleted)
        object_remove(watcher, object.key);
    else if (rc == 1)
        object_put(watcher, &object);
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
    targets_told(watcher->kubernetes);
    return rc;
}

static void on_watch_end(void *arg, int rc, const struct cw_http_answer *answer,
                         const struct cw_err *err)
{
    struct watcher *watcher = arg;
    CW_CHECK(watcher, WATCHER_MAGIC);
    watcher->call = NULL;
    struct cw_err bad = {0};
    int status = rc == 0 ? answer->status : 0;
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
        wait_start(watcher, status, bad.code < 0 ? bad.text : err->text);
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
    cw_kubernetes_watch_url(watcher->config, watcher->kind, watcher->server->url,
                            watcher->namespace, cw_str_of(watcher->version), WATCH_S,
                            &watcher->url);
    call_start(watcher, WATCH_TIMEOUT_NS, on_watch_data, on_watch_end);
}

/* ---- life ---- */

static void watcher_add(struct kubernetes *kubernetes, const struct cw_discovery_host *host,
                        const struct cw_scrape *scrape,
                        const struct cw_kubernetes_sd_config *config, int kind,
                        struct cw_str namespace)
{
    struct watcher *watcher = cw_mem_new(sizeof *watcher);
    watcher->magic = WATCHER_MAGIC;
    watcher->host = *host;
    watcher->kubernetes = kubernetes;
    watcher->config = config;
    watcher->server = &kubernetes->server;
    watcher->kind = kind;
    watcher->namespace = namespace;
    watcher->targets = cw_targets_new(host->sources, scrape, CW_TARGETS_READ_OUT);
    watcher->store = kubernetes->view.joins ? cw_kubernetes_store_new() : NULL;
    watcher->arena = cw_arena_new();
    watcher->call_arena = cw_arena_new();
    watcher->retry_ms = RETRY_MIN_MS;
    cw_buf_init(&watcher->url, SIZE_MAX);
    cw_buf_init(&watcher->line, CW_KUBERNETES_OBJECT_BYTES);
    uv_timer_init(host->loop, &watcher->timer);
    kubernetes->watchers[kubernetes->n++] = watcher;
}

/* One watcher for each namespace; nodes are in none. */
static void kind_add(struct kubernetes *kubernetes, const struct cw_discovery_host *host,
                     const struct cw_scrape *scrape, const struct cw_kubernetes_sd_config *config,
                     int kind)
{
    size_t nnames = kind == CW_KUBERNETES_NODE ? 0 : config->namespaces.n;
    bool own = kind != CW_KUBERNETES_NODE && config->own_namespace;
    for (size_t i = 0; i < nnames; i++)
        watcher_add(kubernetes, host, scrape, config, kind, config->namespaces.items[i]);
    if (own || nnames == 0)
        watcher_add(kubernetes, host, scrape, config, kind,
                    own ? kubernetes->server.own_namespace : CW_STR_NONE);
}

static void *kubernetes_new(const struct cw_discovery_host *host, const struct cw_scrape *scrape,
                            const void *config)
{
    const struct cw_kubernetes_sd_config *sd = config;
    struct kubernetes *kubernetes = cw_mem_new(sizeof *kubernetes);
    struct cw_err err = {0};
    int kinds[CW_KUBERNETES_JOINED_MAX];
    size_t nkinds = cw_kubernetes_joined(sd, kinds);
    kubernetes->arena = cw_arena_new();
    kubernetes->scratch = cw_arena_new();
    kubernetes->watchers =
        cw_mem_array((nkinds + 1) * (sd->namespaces.n + 2), sizeof(struct watcher *));
    kubernetes->view = (struct cw_kubernetes_view){.role = sd->role,
                                                   .plain = cw_relabel_empty(scrape->relabel),
                                                   .nodes = sd->attach_node,
                                                   .joins = nkinds > 0,
                                                   .find = on_find,
                                                   .arg = kubernetes};
    if (cw_kubernetes_server_find(sd, CW_KUBERNETES_ACCOUNT, kubernetes->arena, &kubernetes->server,
                                  &err) < 0) {
        cw_log_error("kubernetes_sd_configs: %s", err.text);
        return kubernetes;
    }
    for (size_t i = 0; i < nkinds; i++)
        kind_add(kubernetes, host, scrape, sd, kinds[i]);
    kubernetes->njoined = kubernetes->n;
    kind_add(kubernetes, host, scrape, sd, sd->role);
    return kubernetes;
}

static void kubernetes_start(void *self)
{
    struct kubernetes *kubernetes = self;
    for (size_t i = 0; i < kubernetes->njoined; i++)
        list_start(kubernetes->watchers[i], CW_STR_NONE);
    if (kubernetes->njoined == 0)
        role_start(kubernetes);
}

static bool kubernetes_listed(const void *self)
{
    const struct kubernetes *kubernetes = self;
    return all_listed(kubernetes, kubernetes->n);
}

static void on_closed(uv_handle_t *handle)
{
    struct watcher *watcher = CW_CONTAINER_OF((uv_timer_t *)handle, struct watcher, timer);
    CW_CHECK(watcher, WATCHER_MAGIC);
    cw_targets_free(&watcher->targets);
    cw_kubernetes_store_free(&watcher->store);
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
    free(kubernetes->refs);
    cw_arena_free(&kubernetes->scratch);
    cw_arena_free(&kubernetes->arena);
    free(kubernetes);
}

const struct cw_discovery_def cw_kubernetes_sd = {kubernetes_new, kubernetes_start,
                                                  kubernetes_listed, kubernetes_close};
