#include "shipper/source_docker.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/file.h"
#include "shipper/docker_follow.h"

enum docker_state { DOCKER_WAITING, DOCKER_NETWORKS, DOCKER_LISTING, DOCKER_INSPECTING };
static const char *const docker_names[] = {"waiting", "asking networks", "listing", "inspecting"};
enum { DOCKER_MAGIC = 0x646f636b };
/* The Engine answers at once; while it starts or stops it does not. */
#define DOCKER_TIMEOUT_NS (10 * CW_NS_PER_S)
#define DOCKER_RETRY_MS 5000
/* Events come in bursts (create, start): one list for them. */
#define DOCKER_EVENT_MS 100
#define DOCKER_EVENTS_BACK_S 2
#define PRUNE_MS 1000

/* What was learnt of a container that is there. */
struct known {
    char *id, *driver, *path;
    bool tty;
    bool listed;                     /* by the last list */
    bool event;                      /* something happened to it since */
    struct cw_docker_follow *stream; /* of one without a file that can be read here */
};

struct docker {
    uint32_t magic;
    enum docker_state state;
    struct cw_discovery_host host;
    const struct cw_scrape *scrape;
    const struct cw_docker_sd_config *config;
    struct cw_targets *targets;
    uv_timer_t timer;                   /* WAITING: the next list */
    uv_timer_t prune;                   /* of streams */
    unsigned nopen;                     /* handles not yet closed */
    char *folder;                       /* of the streams' spools */
    struct cw_http_call_handle *call;   /* of the other states */
    struct cw_http_call_handle *events; /* the stream, while it lasts */
    struct cw_buf base, url, events_url;
    const char *socket;                         /* NULL: not a socket of this machine */
    struct cw_arena *call_arena, *events_arena; /* of what is under way */
    struct cw_arena *arena;                     /* of networks and `found` */
    struct cw_docker_networks networks;
    struct cw_docker_container *found;
    size_t nfound, next; /* to be settled: from `next` on */
    struct known *known;
    size_t nknown, known_cap;
    bool again; /* an event came meanwhile */
    bool listed, failing;
    int told_status; /* with which it fails; 0: there is no answer */
};

static void networks_start(struct docker *docker);
static void settle_next(struct docker *docker);
static void on_timer(uv_timer_t *timer);

static void docker_enter(struct docker *docker, enum docker_state next)
{
    cw_log_debug("docker: %s -> %s", docker_names[docker->state], docker_names[next]);
    docker->state = next;
}

static void wait_start(struct docker *docker, uint64_t ms)
{
    docker_enter(docker, DOCKER_WAITING);
    uv_timer_start(&docker->timer, on_timer, docker->again ? DOCKER_EVENT_MS : ms, 0);
    if (cw_targets_changed(docker->targets))
        docker->host.on_targets(docker->host.arg);
}

/* It is told once, and again when it fails otherwise: with another status, or with one at last (0: there is no answer). */
static void docker_failed(struct docker *docker, int status, const char *why)
{
    if (!docker->failing || docker->told_status != status)
        cw_log_warn("docker at %.*s: %s; trying again each %d s", CW_STR_ARG(docker->config->host),
                    why, DOCKER_RETRY_MS / 1000);
    docker->failing = true;
    docker->told_status = status;
    wait_start(docker, DOCKER_RETRY_MS);
}

/* Begins `url` anew; the path is appended by the caller. */
static struct cw_buf *url_begin(struct docker *docker, struct cw_buf *url)
{
    cw_buf_clear(url);
    cw_buf_adds(url, cw_buf_str(&docker->base));
    return url;
}

static int call_make(const struct docker *docker, struct cw_buf *url, struct cw_arena *arena,
                     struct cw_http_call *out, struct cw_err *err)
{
    *out = (struct cw_http_call){.method = "GET",
                                 .url = cw_buf_z(url),
                                 .unix_socket = docker->socket,
                                 .max_answer_bytes = CW_DOCKER_ANSWER_BYTES};
    cw_arena_reset(arena);
    return cw_http_access_apply(&docker->config->access, arena, out, err);
}

static void call_start(struct docker *docker, cw_http_done_fn on_done)
{
    struct cw_http_call call;
    struct cw_err err = {0};
    int rc = call_make(docker, &docker->url, docker->call_arena, &call, &err);
    call.timeout_ns = DOCKER_TIMEOUT_NS;
    if (rc == 0)
        rc = cw_http_client_start(docker->host.http, &call, NULL, on_done, docker, &docker->call,
                                  &err);
    if (rc < 0)
        docker_failed(docker, 0, err.text);
}

static void on_timer(uv_timer_t *timer)
{
    struct docker *docker = CW_CONTAINER_OF(timer, struct docker, timer);
    CW_CHECK(docker, DOCKER_MAGIC);
    networks_start(docker);
}

/* ---- events: only that there was one ---- */

static int on_event(void *arg, struct cw_str bytes, struct cw_err *err)
{
    struct docker *docker = arg;
    (void)err;
    CW_CHECK(docker, DOCKER_MAGIC);
    if (bytes.len == 0)
        return 0;
    for (size_t i = 0; i < docker->nknown; i++)
        docker->known[i].event |= cw_str_find(bytes, cw_str_of(docker->known[i].id)) >= 0;
    if (docker->state == DOCKER_WAITING)
        uv_timer_start(&docker->timer, on_timer, DOCKER_EVENT_MS, 0);
    else
        docker->again = true;
    return 0;
}

static void on_events_end(void *arg, int rc, const struct cw_http_answer *answer,
                          const struct cw_err *err)
{
    struct docker *docker = arg;
    (void)rc;
    (void)answer;
    (void)err;
    CW_CHECK(docker, DOCKER_MAGIC);
    docker->events = NULL; /* begun again with the next list */
}

static void events_start(struct docker *docker)
{
    struct cw_http_call call;
    struct cw_err err = {0};
    if (docker->events != NULL)
        return;
    /* The list may be answered before the stream is there: it begins a little in the past. */
    cw_docker_events_url(cw_clock_now_ns() / CW_NS_PER_S - DOCKER_EVENTS_BACK_S,
                         url_begin(docker, &docker->events_url));
    int rc = call_make(docker, &docker->events_url, docker->events_arena, &call, &err);
    if (rc == 0)
        rc = cw_http_client_start(docker->host.http, &call, on_event, on_events_end, docker,
                                  &docker->events, &err);
    if (rc < 0)
        cw_log_debug("docker: no events: %s", err.text);
}

/* ---- what is known ---- */

static struct known *known_find(struct docker *docker, struct cw_str id)
{
    for (size_t i = 0; i < docker->nknown; i++)
        if (cw_str_eqz(id, docker->known[i].id))
            return &docker->known[i];
    return NULL;
}

static struct known *known_add(struct docker *docker, struct cw_str id,
                               const struct cw_docker_log *log)
{
    if (docker->nknown == docker->known_cap) {
        docker->known_cap = docker->known_cap ? 2 * docker->known_cap : 16;
        docker->known = cw_mem_resize(docker->known, docker->known_cap * sizeof *docker->known);
    }
    docker->known[docker->nknown] = (struct known){.id = cw_str_dupz(id),
                                                   .driver = cw_str_dupz(log->driver),
                                                   .path = cw_str_dupz(log->path),
                                                   .tty = log->tty,
                                                   .listed = true};
    return &docker->known[docker->nknown++];
}

static void known_free(struct known *known)
{
    free(known->id);
    free(known->driver);
    free(known->path);
}

/* Forget containers that were removed: their files are read to the end while they are open, and a
 * spool until it is settled. */
static void known_sweep(struct docker *docker)
{
    size_t kept = 0;
    for (size_t i = 0; i < docker->nknown; i++) {
        struct known *known = &docker->known[i];
        if (known->listed || (known->stream != NULL && !cw_docker_follow_settled(known->stream))) {
            docker->known[kept++] = *known;
            continue;
        }
        cw_docker_follow_close(&known->stream, CW_DOCKER_FOLLOW_REMOVE);
        known_free(known);
    }
    docker->nknown = kept;
}

/* ---- streams, of containers without a file that can be read here ---- */

static void stream_open(struct docker *docker, struct known *known)
{
    struct cw_str folder = cw_arena_printf(docker->arena, "%s/%s", docker->folder, known->id);
    struct cw_docker_follow_options options = {.host = &docker->host,
                                               .scrape = docker->scrape,
                                               .config = docker->config,
                                               .folder = folder.ptr,
                                               .id = known->id,
                                               .tty = known->tty};
    struct cw_err err = {0};
    if (cw_docker_follow_open(&options, &known->stream, &err) < 0)
        cw_log_error("docker: container %s: %s", known->id, err.text);
}

static void stream_put(struct docker *docker, struct known *known,
                       const struct cw_docker_container *container, const struct cw_found *found)
{
    if (known->stream == NULL)
        stream_open(docker, known);
    if (known->stream == NULL)
        return;
    cw_docker_follow_labels(known->stream, found);
    /* One that does not run may have run, and ended, since it was listed last. */
    if (container->running || known->event || !cw_docker_follow_ended(known->stream))
        cw_docker_follow_start(known->stream);
    known->event = false;
}

/* What a removed container left in its spool while we were down. */
static void leftovers_open(struct docker *docker)
{
    struct cw_file_names names = {0};
    struct cw_docker_log log = {.driver = CW_STR("")};
    struct cw_err err;
    if (cw_file_exists(docker->folder) && cw_file_list(docker->folder, &names, &err) < 0)
        cw_log_warn("docker: %s", err.text);
    for (size_t i = 0; i < names.n; i++) {
        if (known_find(docker, cw_str_of(names.names[i])) != NULL)
            continue;
        struct known *known = known_add(docker, cw_str_of(names.names[i]), &log);
        known->listed = false;
        stream_open(docker, known);
    }
    cw_file_names_free(&names);
    docker->host.on_targets(docker->host.arg);
}

static void on_prune(uv_timer_t *timer)
{
    struct docker *docker = CW_CONTAINER_OF(timer, struct docker, prune);
    CW_CHECK(docker, DOCKER_MAGIC);
    for (size_t i = 0; i < docker->nknown; i++)
        if (docker->known[i].stream != NULL)
            cw_docker_follow_tick(docker->known[i].stream, cw_clock_now_ns());
}

/* ---- the lists ---- */

static int answer_check(const struct cw_http_answer *answer, const char *what, struct cw_err *err)
{
    if (answer->status == 200)
        return 0;
    return cw_err_set(err, CW_E_INVALID, "status %d to a list of %s: %.*s", answer->status, what,
                      CW_STR_ARG(cw_str_sub(answer->body, 0, 200)));
}

static void on_list(void *arg, int rc, const struct cw_http_answer *answer,
                    const struct cw_err *err)
{
    struct docker *docker = arg;
    CW_CHECK(docker, DOCKER_MAGIC);
    docker->call = NULL;
    struct cw_err bad = {0};
    if (rc == 0)
        rc = answer_check(answer, "containers", &bad);
    if (rc == 0)
        rc = cw_docker_list_decode(answer->body, docker->config, &docker->networks, docker->arena,
                                   &docker->found, &docker->nfound, &bad);
    if (rc < 0) {
        if (bad.code < 0)
            docker_failed(docker, answer->status, bad.text);
        else
            docker_failed(docker, 0, err->text);
        return;
    }
    docker->failing = false;
    for (size_t i = 0; i < docker->nknown; i++)
        docker->known[i].listed = false;
    cw_targets_begin(docker->targets);
    docker->next = 0;
    docker_enter(docker, DOCKER_INSPECTING);
    settle_next(docker);
}

static void list_start(struct docker *docker)
{
    docker_enter(docker, DOCKER_LISTING);
    cw_docker_list_url(docker->config, url_begin(docker, &docker->url));
    call_start(docker, on_list);
}

/* Who may not see networks (a proxy that lets little through) may see containers. */
static void on_networks(void *arg, int rc, const struct cw_http_answer *answer,
                        const struct cw_err *err)
{
    struct docker *docker = arg;
    CW_CHECK(docker, DOCKER_MAGIC);
    docker->call = NULL;
    struct cw_err bad = {0};
    if (rc < 0) {
        docker_failed(docker, 0, err->text);
        return;
    }
    rc = answer_check(answer, "networks", &bad);
    if (rc == 0)
        rc = cw_docker_networks_decode(answer->body, docker->arena, &docker->networks, &bad);
    if (rc < 0)
        cw_log_debug("docker: %s", bad.text);
    list_start(docker);
}

/* Networks are only looked at by rules. */
static void networks_start(struct docker *docker)
{
    docker->again = false;
    events_start(docker);
    cw_arena_reset(docker->arena);
    docker->networks = (struct cw_docker_networks){0};
    if (cw_relabel_empty(docker->scrape->relabel)) {
        list_start(docker);
        return;
    }
    docker_enter(docker, DOCKER_NETWORKS);
    cw_docker_networks_url(url_begin(docker, &docker->url));
    call_start(docker, on_networks);
}

/* ---- one container ---- */

static bool wanted(const struct docker *docker, const struct cw_docker_container *container)
{
    return container->wish == CW_DOCKER_ENABLE ||
           (container->wish == CW_DOCKER_NO_WISH && !docker->config->only_enabled);
}

/* Where its lines are read. What was begun one way goes on that way: the other would begin anew. */
enum place { IN_FILE, NOT_YET, OVER_API };

static enum place place_of(const struct docker *docker, const struct known *known)
{
    struct cw_str path = cw_str_of(known->path), folder = path;
    const char *spool = cw_arena_printf(docker->arena, "%s/%s", docker->folder, known->id).ptr;
    if (known->stream != NULL || docker->socket == NULL || path.len == 0 || cw_file_exists(spool))
        return OVER_API;
    if (access(known->path, R_OK) == 0)
        return IN_FILE;
    bool absent = errno == ENOENT;
    while (folder.len > 0 && folder.ptr[folder.len - 1] != '/')
        folder.len--;
    return absent && access(cw_arena_dup(docker->arena, folder).ptr, X_OK) == 0 ? NOT_YET
                                                                                : OVER_API;
}

static void container_put(struct docker *docker, struct known *known,
                          const struct cw_docker_container *container)
{
    struct cw_found found = {.labels = container->labels,
                             .name = container->name,
                             .path = cw_str_of(known->path),
                             .pipeline = container->pipeline};
    known->listed = true;
    for (size_t i = 0; i < container->plain.n && cw_relabel_empty(docker->scrape->relabel); i++)
        cw_target_labels_set(&found.labels, container->plain.items[i].name,
                             container->plain.items[i].value);
    found.format = strcmp(known->driver, "local") == 0 ? CW_SOURCE_DOCKER_LOCAL : CW_SOURCE_DOCKER;
    switch (place_of(docker, known)) {
    case IN_FILE: cw_targets_put(docker->targets, container->id, &found, 1); break;
    case OVER_API: stream_put(docker, known, container, &found); break;
    case NOT_YET: break; /* it is started just now: an event comes */
    }
}

static void on_inspect(void *arg, int rc, const struct cw_http_answer *answer,
                       const struct cw_err *err)
{
    struct docker *docker = arg;
    CW_CHECK(docker, DOCKER_MAGIC);
    docker->call = NULL;
    if (rc < 0) {
        docker_failed(docker, 0, err->text);
        return;
    }
    const struct cw_docker_container *container = &docker->found[docker->next++];
    struct cw_docker_log log;
    struct cw_err bad = {0};
    if (answer->status == 200) { /* else it was removed meanwhile */
        rc = cw_docker_inspect_decode(answer->body, docker->arena, &log, &bad);
        /* Created, not started: its start is an event, and it is new then still. */
        bool early = rc == 0 && log.path.len == 0 &&
                     (cw_str_eqz(log.driver, "json-file") || cw_str_eqz(log.driver, "local"));
        if (rc < 0)
            cw_log_warn("docker: container %.*s: %s", CW_STR_ARG(container->name), bad.text);
        else if (!early)
            container_put(docker, known_add(docker, container->id, &log), container);
    }
    settle_next(docker);
}

static void all_settled(struct docker *docker)
{
    cw_targets_sweep(docker->targets);
    if (!docker->listed)
        leftovers_open(docker);
    else
        known_sweep(docker);
    docker->listed = true;
    wait_start(docker, (uint64_t)(docker->config->refresh_interval_ns / CW_NS_PER_MS));
}

/* Puts the known ones up to the first that must be inspected. */
static void settle_next(struct docker *docker)
{
    for (; docker->next < docker->nfound; docker->next++) {
        const struct cw_docker_container *container = &docker->found[docker->next];
        struct known *known = known_find(docker, container->id);
        if (!wanted(docker, container))
            continue;
        if (known == NULL)
            break;
        container_put(docker, known, container);
    }
    if (docker->next == docker->nfound) {
        all_settled(docker);
        return;
    }
    cw_docker_inspect_url(docker->found[docker->next].id, url_begin(docker, &docker->url));
    call_start(docker, on_inspect);
}

/* ---- life ---- */

/* One for each scrape config and Engine, whatever their order. */
static char *spools_folder(const struct cw_discovery_host *host, const struct cw_scrape *scrape,
                           const struct cw_docker_sd_config *config)
{
    struct cw_str job = scrape->config->job_name;
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/" CW_DISCOVERY_SPOOLS "/%016" PRIx64 "%016" PRIx64, host->folder,
                cw_hash64(job.ptr, job.len), cw_hash64(config->host.ptr, config->host.len));
    char *z = cw_str_dupz(cw_buf_str(&path));
    cw_buf_fini(&path);
    return z;
}

static void *docker_new(const struct cw_discovery_host *host, const struct cw_scrape *scrape,
                        const void *config)
{
    struct docker *docker = cw_mem_new(sizeof *docker);
    docker->magic = DOCKER_MAGIC;
    docker->host = *host;
    docker->scrape = scrape;
    docker->config = config;
    docker->targets = cw_targets_new(host->sources, scrape, CW_TARGETS_READ_OUT);
    docker->arena = cw_arena_new();
    docker->call_arena = cw_arena_new();
    docker->events_arena = cw_arena_new();
    cw_buf_init(&docker->base, SIZE_MAX);
    cw_buf_init(&docker->url, SIZE_MAX);
    cw_buf_init(&docker->events_url, SIZE_MAX);
    cw_docker_base_url(config, &docker->base, &docker->socket);
    docker->folder = spools_folder(host, scrape, config);
    uv_timer_init(host->loop, &docker->timer);
    uv_timer_init(host->loop, &docker->prune);
    docker->nopen = 2;
    return docker;
}

static void docker_start(void *self)
{
    struct docker *docker = self;
    CW_CHECK(docker, DOCKER_MAGIC);
    uv_timer_start(&docker->prune, on_prune, PRUNE_MS, PRUNE_MS);
    networks_start(docker);
}

static bool docker_listed(const void *self)
{
    const struct docker *docker = self;
    for (size_t i = 0; i < docker->nknown; i++)
        if (docker->known[i].stream != NULL && docker->known[i].listed &&
            !cw_docker_follow_ended(docker->known[i].stream))
            return false;
    return docker->listed;
}

static void on_closed(uv_handle_t *handle)
{
    struct docker *docker = handle->data;
    CW_CHECK(docker, DOCKER_MAGIC);
    if (--docker->nopen > 0)
        return;
    for (size_t i = 0; i < docker->nknown; i++)
        known_free(&docker->known[i]);
    free(docker->known);
    free(docker->folder);
    cw_targets_free(&docker->targets);
    cw_arena_free(&docker->arena);
    cw_arena_free(&docker->call_arena);
    cw_arena_free(&docker->events_arena);
    cw_buf_fini(&docker->base);
    cw_buf_fini(&docker->url);
    cw_buf_fini(&docker->events_url);
    docker->magic = 0;
    free(docker);
}

static void docker_close(void *self)
{
    struct docker *docker = self;
    CW_CHECK(docker, DOCKER_MAGIC);
    if (docker->call != NULL)
        cw_http_client_abort(docker->host.http, &docker->call);
    if (docker->events != NULL)
        cw_http_client_abort(docker->host.http, &docker->events);
    for (size_t i = 0; i < docker->nknown; i++)
        cw_docker_follow_close(&docker->known[i].stream, CW_DOCKER_FOLLOW_KEEP);
    docker->timer.data = docker->prune.data = docker;
    uv_close((uv_handle_t *)&docker->timer, on_closed);
    uv_close((uv_handle_t *)&docker->prune, on_closed);
}

const struct cw_discovery_def cw_source_docker = {docker_new, docker_start, docker_listed,
                                                  docker_close};
