#include "shipper/source_docker.h"
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/docker_api.h"
#include "shipper/targets.h"

enum docker_state { DOCKER_WAITING, DOCKER_LISTING, DOCKER_INSPECTING, DOCKER_NSTATES };
static const char *const docker_names[DOCKER_NSTATES] = {"waiting", "listing", "inspecting"};
enum { DOCKER_MAGIC = 0x646f636b };
/* The Engine answers at once; while it starts or stops it does not. */
#define DOCKER_TIMEOUT_NS (10 * CW_NS_PER_S)
#define DOCKER_RETRY_MS 5000
/* Events come in bursts (create, start): one list for them. */
#define DOCKER_EVENT_MS 100
#define DOCKER_EVENTS_BACK_S 2

struct known {
    char *id;
    struct cw_target *target; /* NULL: its logs are not in a json-file */
    bool listed;              /* by the last list */
};

struct cw_source_docker {
    uint32_t magic;
    enum docker_state state;
    struct cw_source_docker_options options;
    uv_timer_t timer;                   /* WAITING: the next list */
    struct cw_http_call_handle *call;   /* LISTING, INSPECTING */
    struct cw_http_call_handle *events; /* the stream, while it lasts */
    struct cw_buf url, events_url;      /* of the calls */
    struct cw_arena *arena;             /* of `found` */
    struct cw_docker_container *found;  /* to be inspected: from `next` on */
    size_t nfound, next;
    struct known *known;
    size_t nknown, known_cap;
    bool again; /* an event came meanwhile */
    bool listed, failing;
    bool changed; /* targets were added or removed since the host was told */
};

static void list_start(struct cw_source_docker *docker);
static void inspect_next(struct cw_source_docker *docker);
static void on_timer(uv_timer_t *timer);

static void docker_enter(struct cw_source_docker *docker, enum docker_state next)
{
    cw_log_debug("docker: %s -> %s", docker_names[docker->state], docker_names[next]);
    docker->state = next;
}

static const char *socket_path(const struct cw_source_docker *docker)
{
    return docker->options.config->host.ptr + sizeof("unix://") - 1;
}

static void wait_start(struct cw_source_docker *docker, uint64_t ms)
{
    docker_enter(docker, DOCKER_WAITING);
    uv_timer_start(&docker->timer, on_timer, docker->again ? DOCKER_EVENT_MS : ms, 0);
    if (docker->changed)
        docker->options.on_targets(docker->options.arg);
    docker->changed = false;
}

static void docker_failed(struct cw_source_docker *docker, const char *why)
{
    if (!docker->failing)
        cw_log_warn("docker at %s: %s; trying again each %d s", socket_path(docker), why,
                    DOCKER_RETRY_MS / 1000);
    docker->failing = true;
    wait_start(docker, DOCKER_RETRY_MS);
}

static int call_start(struct cw_source_docker *docker, struct cw_buf *url, int64_t timeout_ns,
                      cw_http_data_fn on_data, cw_http_done_fn on_done,
                      struct cw_http_call_handle **handle, struct cw_err *err)
{
    struct cw_http_call call = {.method = "GET",
                                .url = cw_buf_z(url),
                                .unix_socket = socket_path(docker),
                                .timeout_ns = timeout_ns,
                                .max_answer_bytes = CW_DOCKER_ANSWER_BYTES};
    return cw_http_client_start(docker->options.http, &call, on_data, on_done, docker, handle, err);
}

static void on_timer(uv_timer_t *timer)
{
    struct cw_source_docker *docker = CW_CONTAINER_OF(timer, struct cw_source_docker, timer);
    CW_CHECK(docker, DOCKER_MAGIC);
    list_start(docker);
}

/* ---- events: only that there was one ---- */

static int on_event(void *arg, struct cw_str bytes, struct cw_err *err)
{
    struct cw_source_docker *docker = arg;
    (void)err;
    CW_CHECK(docker, DOCKER_MAGIC);
    if (bytes.len == 0)
        return 0;
    if (docker->state == DOCKER_WAITING)
        uv_timer_start(&docker->timer, on_timer, DOCKER_EVENT_MS, 0);
    else
        docker->again = true;
    return 0;
}

static void on_events_end(void *arg, int rc, const struct cw_http_answer *answer,
                          const struct cw_err *err)
{
    struct cw_source_docker *docker = arg;
    (void)rc;
    (void)answer;
    (void)err;
    CW_CHECK(docker, DOCKER_MAGIC);
    docker->events = NULL; /* begun again with the next list */
}

static void events_start(struct cw_source_docker *docker)
{
    struct cw_err err;
    if (docker->events != NULL)
        return;
    cw_buf_clear(&docker->events_url);
    /* The list may be answered before the stream is there: it begins a little in the past. */
    cw_docker_events_url(cw_clock_now_ns() / CW_NS_PER_S - DOCKER_EVENTS_BACK_S,
                         &docker->events_url);
    if (call_start(docker, &docker->events_url, 0, on_event, on_events_end, &docker->events, &err) <
        0)
        cw_log_debug("docker: no events: %s", err.text);
}

/* ---- the list ---- */

static struct known *known_find(struct cw_source_docker *docker, struct cw_str id)
{
    for (size_t i = 0; i < docker->nknown; i++)
        if (cw_str_eqz(id, docker->known[i].id))
            return &docker->known[i];
    return NULL;
}

static void known_add(struct cw_source_docker *docker, struct cw_str id, struct cw_target *target)
{
    if (docker->nknown == docker->known_cap) {
        docker->known_cap = docker->known_cap ? 2 * docker->known_cap : 16;
        docker->known = cw_mem_resize(docker->known, docker->known_cap * sizeof *docker->known);
    }
    docker->known[docker->nknown++] = (struct known){cw_str_dupz(id), target, true};
    if (target == NULL)
        return;
    cw_sources_target_add(docker->options.sources, target);
    docker->changed = true;
}

/* Forget containers that were removed: their files are read to the end while they are open. */
static void known_sweep(struct cw_source_docker *docker)
{
    size_t kept = 0;
    for (size_t i = 0; i < docker->nknown; i++) {
        struct known *known = &docker->known[i];
        if (known->listed) {
            docker->known[kept++] = *known;
            continue;
        }
        if (known->target != NULL) {
            cw_sources_target_remove(docker->options.sources, known->target);
            docker->changed = true;
        }
        free(known->id);
    }
    docker->nknown = kept;
}

static void on_list(void *arg, int rc, const struct cw_http_answer *answer,
                    const struct cw_err *err)
{
    struct cw_source_docker *docker = arg;
    CW_CHECK(docker, DOCKER_MAGIC);
    docker->call = NULL;
    struct cw_err bad = {0};
    cw_arena_reset(docker->arena);
    if (rc == 0 && answer->status != 200)
        rc = cw_err_set(&bad, CW_E_INVALID, "status %d to a list of containers: %.*s",
                        answer->status, CW_STR_ARG(cw_str_sub(answer->body, 0, 200)));
    else if (rc == 0)
        rc = cw_docker_list_decode(answer->body, docker->arena, &docker->found, &docker->nfound,
                                   &bad);
    if (rc < 0) {
        docker_failed(docker, bad.code < 0 ? bad.text : err->text);
        return;
    }
    docker->failing = false;
    for (size_t i = 0; i < docker->nknown; i++)
        docker->known[i].listed = false;
    size_t nnew = 0;
    for (size_t i = 0; i < docker->nfound; i++) {
        struct known *known = known_find(docker, docker->found[i].id);
        if (known != NULL)
            known->listed = true;
        else
            docker->found[nnew++] = docker->found[i];
    }
    docker->nfound = nnew;
    docker->next = 0;
    known_sweep(docker);
    docker_enter(docker, DOCKER_INSPECTING);
    inspect_next(docker);
}

static void list_start(struct cw_source_docker *docker)
{
    struct cw_err err;
    docker_enter(docker, DOCKER_LISTING);
    docker->again = false;
    events_start(docker);
    cw_buf_clear(&docker->url);
    cw_docker_list_url(docker->options.config, &docker->url);
    if (call_start(docker, &docker->url, DOCKER_TIMEOUT_NS, NULL, on_list, &docker->call, &err) < 0)
        docker_failed(docker, err.text);
}

/* ---- one container ---- */

static void container_add(struct cw_source_docker *docker,
                          const struct cw_docker_container *container,
                          const struct cw_http_answer *answer)
{
    struct cw_str path = CW_STR_NONE, name = cw_labels_get(container->labels, CW_STR("container"));
    struct cw_target *target = NULL;
    struct cw_err err = {0};
    bool json_file = false;
    int rc = cw_docker_inspect_decode(answer->body, docker->arena, &json_file, &path, &err);
    if (rc == 0 && json_file && path.len == 0)
        return; /* created, not started: its start is an event, and it is new then still */
    if (rc == 0 && json_file)
        rc = cw_target_from_path(path.ptr, cw_arena_dup(docker->arena, name).ptr, container->labels,
                                 CW_SOURCE_DOCKER, &target, &err);
    if (rc < 0)
        cw_log_warn("docker: container %.*s: %s", CW_STR_ARG(name), err.text);
    else if (!json_file)
        cw_log_info("docker: container %.*s does not log to a json-file: it is left out",
                    CW_STR_ARG(name));
    known_add(docker, container->id, target);
}

static void on_inspect(void *arg, int rc, const struct cw_http_answer *answer,
                       const struct cw_err *err)
{
    struct cw_source_docker *docker = arg;
    CW_CHECK(docker, DOCKER_MAGIC);
    docker->call = NULL;
    if (rc < 0) {
        docker_failed(docker, err->text);
        return;
    }
    if (answer->status == 200) /* else it was removed meanwhile */
        container_add(docker, &docker->found[docker->next], answer);
    docker->next++;
    inspect_next(docker);
}

static void inspect_next(struct cw_source_docker *docker)
{
    struct cw_err err;
    if (docker->next == docker->nfound) {
        docker->changed |= !docker->listed;
        docker->listed = true;
        wait_start(docker, (uint64_t)(docker->options.config->refresh_interval_ns / CW_NS_PER_MS));
        return;
    }
    cw_buf_clear(&docker->url);
    cw_docker_inspect_url(docker->found[docker->next].id, &docker->url);
    if (call_start(docker, &docker->url, DOCKER_TIMEOUT_NS, NULL, on_inspect, &docker->call, &err) <
        0)
        docker_failed(docker, err.text);
}

/* ---- life ---- */

struct cw_source_docker *cw_source_docker_new(const struct cw_source_docker_options *options)
{
    struct cw_source_docker *docker = cw_mem_new(sizeof *docker);
    docker->magic = DOCKER_MAGIC;
    docker->options = *options;
    docker->arena = cw_arena_new();
    cw_buf_init(&docker->url, SIZE_MAX);
    cw_buf_init(&docker->events_url, SIZE_MAX);
    uv_timer_init(options->loop, &docker->timer);
    return docker;
}

void cw_source_docker_start(struct cw_source_docker *docker)
{
    CW_CHECK(docker, DOCKER_MAGIC);
    list_start(docker);
}

bool cw_source_docker_listed(const struct cw_source_docker *docker)
{
    return docker->listed;
}

static void on_closed(uv_handle_t *handle)
{
    struct cw_source_docker *docker =
        CW_CONTAINER_OF((uv_timer_t *)handle, struct cw_source_docker, timer);
    CW_CHECK(docker, DOCKER_MAGIC);
    for (size_t i = 0; i < docker->nknown; i++)
        free(docker->known[i].id);
    free(docker->known);
    cw_arena_free(&docker->arena);
    cw_buf_fini(&docker->url);
    cw_buf_fini(&docker->events_url);
    docker->magic = 0;
    free(docker);
}

void cw_source_docker_close(struct cw_source_docker **docker)
{
    struct cw_source_docker *d = *docker;
    *docker = NULL;
    if (d == NULL)
        return;
    CW_CHECK(d, DOCKER_MAGIC);
    if (d->call != NULL)
        cw_http_client_abort(d->options.http, &d->call);
    if (d->events != NULL)
        cw_http_client_abort(d->options.http, &d->events);
    uv_close((uv_handle_t *)&d->timer, on_closed);
}
