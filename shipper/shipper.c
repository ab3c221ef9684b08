#include "shipper/shipper.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file_tree.h"
#include "common/base/log.h"
#include "shipper/discoveries.h"
#include "shipper/dry_run.h"
#include "shipper/outputs.h"
#include "shipper/own_server.h"
#include "shipper/receivers.h"
#include "shipper/kept_metrics.h"
#include "shipper/shipper_metrics.h"
#include "shipper/state_dir.h"
#include "shipper/watch.h"

/*
 *            SIGTERM              all settled, the grace is over, SIGTERM again
 *   RUNNING ---------> DRAINING --------------------+
 *      |   --once done, SIGHUP                      v      nothing under way, or the grace is over
 *      +---------------------------------------> STOPPING ------------------------------> CLOSED
 *                                                   positions are written, handles close, the loop ends
 */
enum shipper_state { SHIPPER_RUNNING, SHIPPER_DRAINING, SHIPPER_STOPPING, SHIPPER_CLOSED };

/* How often there is a look at what inotify does not tell: times that are over, changes it may have missed. */
#define TICK_MS 1000
#define TICK_ENDING_MS 100 /* with --once, and while it stops */
/* A file that is read with --once ends where it is when it has not grown for so long. */
#define ONCE_FINAL_WAIT_NS (500 * CW_NS_PER_MS)
/* After a client gave up the others are at their end when none has sent for so long, though files are left: longer than stages
 * keep an entry, as they are usually configured. */
#define ONCE_STUCK_NS (60 * CW_NS_PER_S)
/* Folders with names that change all the time are looked through this often at most, and for at
 * most 1/20 of the time. */
#define SCAN_SPACING_MS 50
#define SCAN_SHARE 20
/* What grew is looked at for at most half of the time, but so often at least: of two truncations in one pause the second hides the
 * first. */
#define LOOK_SPACING_MAX_MS 20
/* What the kernel does not tell of is polled for at most 1/50 of the time. */
#define POLL_SHARE 50
/* And for this share of it where nothing is known to have changed. */
#define QUIET_SCAN_SHARE 500
/* Descriptors that files leave to the rest of the program. */
#define DESCRIPTORS_KEPT 64
/* How long a stop waits for the answers of pushes under way, after the time for draining. */
#define STOP_GRACE_MS 5000

struct cw_shipper {
    const struct cw_shipper_config *config;
    const struct cw_shipper_args *args;
    enum shipper_state state;
    int exit_status;
    bool ends; /* by itself, when all is read and delivered */
    uv_loop_t loop;
    uv_timer_t tick, poll, rescan, save, work, stop_grace;
    uv_signal_t sigterm, sigint, sighup;
    bool handles; /* the loop and its handles are initialised */
    struct cw_state_dir state_dir;
    struct cw_metrics *metrics;
    struct cw_kept_metrics kept_metrics;
    struct cw_watch *watch;
    struct cw_sources *sources;
    struct cw_pipelines pipelines;
    struct cw_dead_letters *dead_letters;
    struct cw_push_host host;
    struct cw_outputs *outputs;
    bool started; /* the loop runs */
    struct cw_scrape *scrapes;
    size_t nscrapes;
    struct cw_discovery_host discovery_host;
    struct cw_discoveries *discoveries;
    struct cw_receivers *receivers;
    char *spool_folder;
    bool inputs_ended; /* --once: all receivers whose input ends are done; DRAINING: all */
    struct cw_dry_run *dry_run;
    struct cw_own_server *server; /* may be NULL */
    atomic_bool ready;            /* read by its threads */
    bool scan_due, refresh_due, poll_due, prune_due;
    int64_t poll_ns;                         /* until the next look at what is polled */
    int64_t last_scan_ns, last_scan_took_ns; /* monotonic */
    int64_t last_look_took_ns;
    int64_t gave_up_ns; /* when a client did last; 0: none */
};

static void shipper_stop(struct cw_shipper *sh);
static bool on_tenant(void *arg, struct cw_str tenant);
static void on_work(uv_timer_t *timer);
static void on_tick(uv_timer_t *timer);
static void on_poll(uv_timer_t *timer);

/* ---- the work that callbacks ask for, done at one place ---- */

static void work_soon(struct cw_shipper *sh, uint64_t ms)
{
    if (sh->state == SHIPPER_CLOSED)
        return;
    if (!uv_is_active((uv_handle_t *)&sh->work) || uv_timer_get_due_in(&sh->work) > ms)
        uv_timer_start(&sh->work, on_work, ms, 0);
}

static bool positions_save(struct cw_shipper *sh)
{
    struct cw_err err;
    if (sh->args->dry_run) {
        cw_sources_saved(sh->sources);
        return true;
    }
    if (cw_state_dir_save(&sh->state_dir, sh->sources, &err) == 0) {
        cw_kept_metrics_save(&sh->kept_metrics);
        return true;
    }
    cw_metrics_add(sh->metrics, CW_M_POSITIONS_FAILED, 1);
    cw_log_error("the positions could not be written, new files wait: %s", err.text);
    return false;
}

/* Alone: what was counted moved no position. */
static void ledger_save(struct cw_shipper *sh)
{
    if (!sh->args->dry_run && cw_sources_counted(sh->sources))
        cw_state_dir_save_ledger(&sh->state_dir, sh->sources);
}

static void folders_scan(struct cw_shipper *sh)
{
    int64_t start_ns = cw_clock_mono_ns();
    sh->scan_due = false;
    cw_sources_scan(sh->sources, cw_clock_now_ns(), start_ns);
    sh->last_scan_ns = cw_clock_mono_ns();
    sh->last_scan_took_ns = sh->last_scan_ns - start_ns;
    uv_timer_again(&sh->rescan);
}

/* When the next scan may be, from now; 0: now. */
static uint64_t scan_wait_ms(const struct cw_shipper *sh)
{
    /* It has work to do, or nothing else has. */
    int64_t share = sh->sources->deferred || sh->args->once ? 1 : SCAN_SHARE;
    int64_t spacing_ns = CW_MAX(SCAN_SPACING_MS * CW_NS_PER_MS, share * sh->last_scan_took_ns);
    int64_t wait_ns = sh->last_scan_ns + spacing_ns - cw_clock_mono_ns();
    return !sh->sources->scanned || wait_ns <= 0 ? 0 : (uint64_t)(wait_ns / CW_NS_PER_MS + 1);
}

/* How long what grew may wait to be looked at, beside the pause between two looks. */
static uint64_t look_wait_ms(const struct cw_shipper *sh)
{
    return (uint64_t)CW_MIN(sh->last_look_took_ns / CW_NS_PER_MS, (int64_t)LOOK_SPACING_MAX_MS);
}

/* All is settled, but what a server refused for good did not arrive. */
static void once_done(struct cw_shipper *sh)
{
    uint64_t nrefused = cw_outputs_refused(sh->outputs);
    size_t nleft = cw_sources_left_out(sh->sources);
    if (nleft > 0) {
        cw_log_error("not all could be read: %zu files or folders (see the warnings above)", nleft);
        sh->exit_status = 1;
    }
    if (nrefused > 0) {
        cw_log_error("not all could be delivered: %" PRIu64 " refused for good; they are in %s",
                     nrefused, sh->state_dir.refused_path);
        sh->exit_status = 1;
    }
    shipper_stop(sh);
}

/* A client gave up, and nobody else gets on: all did, or files cannot be opened while what waits for it holds all descriptors. */
static bool once_stuck(const struct cw_shipper *sh)
{
    const struct cw_sources *sources = sh->sources;
    bool room = sources->options.max_open == 0 || sources->nopen < sources->options.max_open;
    int64_t sent_ns;
    if (sh->gave_up_ns == 0 || cw_outputs_sending(sh->outputs))
        return false;
    if (cw_sources_all_gave_up(sources))
        return true;
    if (!cw_outputs_idle(sh->outputs, &sent_ns) || !cw_receivers_done(sh->receivers) ||
        (sources->deferred && room))
        return false;
    return cw_clock_mono_ns() - CW_MAX(sh->gave_up_ns, sent_ns) > ONCE_STUCK_NS;
}

/* Whether it ends here. */
static bool once_stuck_check(struct cw_shipper *sh)
{
    bool stuck = sh->state == SHIPPER_RUNNING && once_stuck(sh);
    if (stuck) {
        cw_log_error("giving up: not all could be delivered");
        shipper_stop(sh);
    }
    return stuck;
}

static void once_check(struct cw_shipper *sh)
{
    if (!sh->ends || sh->scan_due || !cw_sources_goal_reached(sh->sources))
        return;
    if (!cw_discoveries_listed(sh->discoveries))
        return;
    if (!cw_receivers_done(sh->receivers))
        return;
    if (!sh->inputs_ended) { /* look once more at what they have written */
        sh->inputs_ended = sh->scan_due = sh->host.hurry = true;
        work_soon(sh, 0);
        return;
    }
    if (cw_outputs_sending(sh->outputs))
        return;
    if (cw_sources_dirty(sh->sources) && positions_save(sh))
        work_soon(
            sh, 0); /* the store is told that its marks may be forgotten, then we are here again */
    else
        once_done(sh);
}

/* What is there now is to be delivered before the end, the last stack trace too: it is waited for as configured, but not for longer
 * than half of the grace, so that the other half is left for its push. A file that goes on growing keeps its last entry: the next
 * start reads that whole. */
static void drain_goal_set(struct cw_shipper *sh)
{
    folders_scan(sh); /* the last lines of a program that has just ended */
    cw_sources_refresh(sh->sources, CW_SOURCES_ALL, cw_clock_now_ns(), cw_clock_mono_ns());
    cw_sources_drain(sh->sources, sh->config->server.drain_ns / 2);
    work_soon(sh, 0);
}

/* All that was there when the stop was asked for is settled, and then what receivers took until they ended: they go on
 * for so long, as what comes by UDP would be lost. */
static void drain_check(struct cw_shipper *sh)
{
    if (!cw_sources_drained(sh->sources))
        return;
    if (cw_outputs_sending(sh->outputs))
        return;
    cw_receivers_stop(sh->receivers);
    if (!cw_receivers_idle(sh->receivers))
        return;
    if (sh->inputs_ended) {
        shipper_stop(sh);
        return;
    }
    sh->inputs_ended = true;
    drain_goal_set(sh);
}

/* Files that do not change are polled less and less often; all of it takes 1/50 of the time at most. */
static void poll_again(struct cw_shipper *sh, int64_t took_ns)
{
    const struct cw_shipper_config *config = sh->config;
    bool grew = sh->sources->polled_grew, waits = uv_is_active((uv_handle_t *)&sh->poll);
    sh->sources->polled_grew = sh->poll_due = false;
    if (sh->sources->polled.n == 0 || (waits && !(grew && sh->poll_ns > config->poll_min_ns)))
        return;
    int64_t next_ns = grew ? 0 : 2 * sh->poll_ns;
    sh->poll_ns = CW_MAX(CW_MIN(next_ns, config->poll_max_ns), config->poll_min_ns);
    int64_t wait_ms = CW_MAX(sh->poll_ns, POLL_SHARE * took_ns) / CW_NS_PER_MS;
    uv_timer_start(&sh->poll, on_poll, (uint64_t)wait_ms, 0);
}

static void on_work(uv_timer_t *timer)
{
    struct cw_shipper *sh = CW_CONTAINER_OF(timer, struct cw_shipper, work);
    if (sh->state == SHIPPER_STOPPING)
        shipper_stop(sh);
    if (sh->state != SHIPPER_RUNNING && sh->state != SHIPPER_DRAINING)
        return;
    if (once_stuck_check(sh))
        return;
    if (sh->prune_due)
        cw_receivers_prune(sh->receivers, cw_clock_now_ns());
    sh->prune_due = false;
    uint64_t wait_ms = scan_wait_ms(sh);
    if (sh->scan_due && wait_ms == 0) {
        folders_scan(sh);
        sh->refresh_due = true;
    } else if (sh->scan_due) {
        work_soon(sh, wait_ms);
    }
    int64_t start_ns = cw_clock_mono_ns();
    cw_sources_refresh(sh->sources,
                       (sh->refresh_due ? CW_SOURCES_WAITING : 0u) |
                           (sh->poll_due ? CW_SOURCES_POLLED : 0u),
                       cw_clock_now_ns(), start_ns);
    sh->refresh_due = false;
    poll_again(sh, cw_clock_mono_ns() - start_ns);
    if (sh->sources->any_changed)
        cw_outputs_release_changed(sh->outputs);
    if (cw_sources_unpack(sh->sources, cw_clock_now_ns()))
        work_soon(sh, 0);
    if (sh->sources->next_due && sh->sources->unpacking == NULL) {
        sh->scan_due = true;
        work_soon(sh, scan_wait_ms(sh));
    }
    if (sh->sources->unsaved && !positions_save(sh))
        return; /* the next tick tries again */
    sh->last_look_took_ns = cw_clock_mono_ns() - start_ns;
    atomic_store(&sh->ready, cw_outputs_pump(sh->outputs));
    if (sh->dry_run != NULL && cw_dry_run_pump(sh->dry_run, sh->sources))
        work_soon(sh, 0);
    if (sh->state == SHIPPER_RUNNING)
        once_check(sh);
    else if (!sh->scan_due)
        drain_check(sh);
}

/* ---- events ---- */

static void on_renamed(void *arg, const char *from, const char *to)
{
    struct cw_shipper *sh = arg;
    cw_sources_renamed(sh->sources, from, to);
}

static bool on_name(void *arg, const char *path)
{
    struct cw_shipper *sh = arg;
    return cw_sources_may_match(sh->sources, path);
}

static void on_file(void *arg, int number, bool written)
{
    struct cw_shipper *sh = arg;
    cw_sources_touched(sh->sources, number, written ? CW_WRITTEN : CW_TOUCHED);
}

static void on_change(void *arg, bool names)
{
    struct cw_shipper *sh = arg;
    sh->scan_due |= names;
    work_soon(sh, names || sh->args->once ? 0 : look_wait_ms(sh));
}

static void on_tick(uv_timer_t *timer)
{
    struct cw_shipper *sh = CW_CONTAINER_OF(timer, struct cw_shipper, tick);
    cw_metrics_set(sh->metrics, CW_M_LAG_BYTES, (int64_t)cw_sources_lag(sh->sources));
    sh->refresh_due = true;
    sh->scan_due |= sh->sources->deferred;
    cw_receivers_prune(sh->receivers, cw_clock_now_ns());
    cw_outputs_make_room(sh->outputs);
    work_soon(sh, 0);
}

static void on_poll(uv_timer_t *timer)
{
    struct cw_shipper *sh = CW_CONTAINER_OF(timer, struct cw_shipper, poll);
    sh->poll_due = true;
    work_soon(sh, 0);
}

static void on_rescan(uv_timer_t *timer)
{
    struct cw_shipper *sh = CW_CONTAINER_OF(timer, struct cw_shipper, rescan);
    /* Where the kernel tells of all folders this is only for what it may have missed. */
    if (!sh->sources->blind &&
        sh->last_scan_ns + QUIET_SCAN_SHARE * sh->last_scan_took_ns > cw_clock_mono_ns())
        return;
    sh->scan_due = true;
    work_soon(sh, 0);
}

static void on_save(uv_timer_t *timer)
{
    struct cw_shipper *sh = CW_CONTAINER_OF(timer, struct cw_shipper, save);
    if (!cw_sources_dirty(sh->sources))
        ledger_save(sh);
    else if (positions_save(sh))
        work_soon(sh, 0); /* confirms are due */
}

static void on_settled(void *arg)
{
    work_soon(arg, 0);
}

static void on_targets(void *arg)
{
    struct cw_shipper *sh = arg;
    sh->scan_due = true;
    work_soon(sh, 0);
}

/* One that is over its bounds is not left so until the next tick: a burst would fill the disk. */
static void on_segment(void *arg)
{
    struct cw_shipper *sh = arg;
    sh->prune_due = true;
    on_targets(sh);
}

static void on_source_changed(void *arg)
{
    struct cw_shipper *sh = arg;
    sh->refresh_due = true;
    work_soon(sh, 0);
}

/* The store knows another shipper under our uuid. From here on we are a new one: its marks are 0,
 * and what is settled stays settled. */
static void on_twin(void *arg)
{
    struct cw_shipper *sh = arg;
    cw_state_dir_draw_shipper(&sh->state_dir);
    sh->host.shipper = sh->state_dir.known.shipper;
    sh->sources->unsaved = true;
    for (size_t i = 0; i < sh->sources->n; i++)
        for (size_t o = 0; o < sh->sources->items[i]->nrows; o++)
            sh->sources->items[i]->rows[o].mark = sh->sources->items[i]->rows[o].confirmed = 0;
    cw_outputs_restart(sh->outputs);
    (void)positions_save(sh); /* nothing is pushed while sources->unsaved */
}

static void on_give_up(void *arg)
{
    struct cw_shipper *sh = arg;
    sh->exit_status = 1;
    sh->gave_up_ns = cw_clock_mono_ns();
    work_soon(sh, 0);
}

/* ---- the end ---- */

static void signals_mask(int how)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(how, &signals, NULL);
}

void cw_shipper_signals_hold(void)
{
    signals_mask(SIG_BLOCK);
}

static void handle_close(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void shipper_close(struct cw_shipper *sh)
{
    sh->state = SHIPPER_CLOSED;
    if (sh->sources->scanned && !cw_sources_dirty(sh->sources))
        ledger_save(sh);
    else if (sh->sources->scanned && !positions_save(sh))
        sh->exit_status = 1;
    if (sh->exit_status == CW_SHIPPER_RELOAD)
        cw_sources_held_leave(sh->sources);
    if (sh->outputs != NULL)
        cw_outputs_close(sh->outputs);
    cw_discoveries_close(&sh->discoveries);
    if (sh->receivers != NULL)
        cw_receivers_close(sh->receivers);
    cw_http_client_close(sh->host.http, NULL, NULL);
    sh->host.http = NULL;
    if (sh->server != NULL)
        cw_own_server_close(sh->server);
    cw_watch_close(&sh->watch);
    sh->sources->options.watch = NULL;
    cw_shipper_signals_hold(); /* a reload meets them when it has started */
    uv_handle_t *handles[] = {
        (uv_handle_t *)&sh->tick,    (uv_handle_t *)&sh->poll,   (uv_handle_t *)&sh->rescan,
        (uv_handle_t *)&sh->save,    (uv_handle_t *)&sh->work,   (uv_handle_t *)&sh->stop_grace,
        (uv_handle_t *)&sh->sigterm, (uv_handle_t *)&sh->sigint, (uv_handle_t *)&sh->sighup};
    for (size_t i = 0; i < CW_COUNT(handles); i++)
        handle_close(handles[i]);
}

static void on_grace_over(uv_timer_t *timer)
{
    struct cw_shipper *sh = CW_CONTAINER_OF(timer, struct cw_shipper, stop_grace);
    if (sh->state == SHIPPER_DRAINING) {
        uint64_t lag = cw_sources_lag(sh->sources);
        if (lag > 0) /* else only a program is waited for that was told to end */
            cw_log_warn("not all could be delivered before the stop: %" PRIu64
                        " bytes wait for the next start",
                        lag);
        shipper_stop(sh);
    } else if (sh->state == SHIPPER_STOPPING) {
        shipper_close(sh);
    }
}

/* Wait for what receivers took and for pushes under way, then close; again is fine. */
static void shipper_stop(struct cw_shipper *sh)
{
    if (sh->state == SHIPPER_CLOSED)
        return;
    if (sh->state != SHIPPER_STOPPING)
        uv_timer_start(&sh->stop_grace, on_grace_over, STOP_GRACE_MS, 0);
    sh->state = SHIPPER_STOPPING;
    cw_receivers_stop(sh->receivers);
    if (!cw_receivers_idle(sh->receivers))
        return;
    if (cw_outputs_sending(sh->outputs))
        return;
    uv_timer_start(&sh->stop_grace, on_grace_over, 0, 0); /* not from within a client's callback */
}

/* Deliver what is there, for so long. */
static void shipper_drain(struct cw_shipper *sh)
{
    sh->state = SHIPPER_DRAINING;
    sh->host.hurry = true;
    uv_timer_start(&sh->stop_grace, on_grace_over,
                   (uint64_t)(sh->config->server.drain_ns / CW_NS_PER_MS), 0);
    uv_timer_start(&sh->tick, on_tick, TICK_ENDING_MS, TICK_ENDING_MS);
    sh->inputs_ended = false;
    drain_goal_set(sh);
}

/* Everything that must outlive a restart is on disk, so a reload is one: main() starts the program
 * anew. */
static int reload(void *arg, struct cw_err *err)
{
    struct cw_shipper *sh = arg;
    struct cw_arena *arena = cw_arena_new();
    struct cw_shipper_config *config = cw_mem_new(sizeof *config);
    int rc = sh->args->config.len > 0 ? cw_shipper_config_load(sh->args, arena, config, err) : 0;
    if (rc < 0) {
        cw_log_error("the configuration is not reloaded, the old one stays: %s", err->text);
    } else {
        cw_log_info("reloading");
        sh->exit_status = CW_SHIPPER_RELOAD;
        shipper_stop(sh);
    }
    free(config);
    cw_arena_free(&arena);
    return rc;
}

static void on_reload(uv_signal_t *handle, int number)
{
    struct cw_err err = {0};
    (void)number;
    (void)reload(handle->data, &err);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct cw_shipper *sh = handle->data;
    cw_log_info("stopping (signal %d)", number);
    if (sh->state == SHIPPER_RUNNING && sh->config->server.drain_ns > 0 && !sh->args->dry_run)
        shipper_drain(sh);
    else
        shipper_stop(sh);
}

static int server_start(struct cw_shipper *sh, struct cw_err *err)
{
    const struct cw_own_server_options options = {.loop = &sh->loop,
                                                  .config = &sh->config->server,
                                                  .metrics = sh->metrics,
                                                  .kept_metrics = &sh->kept_metrics,
                                                  .sources = sh->sources,
                                                  .ready = &sh->ready,
                                                  .reload = reload,
                                                  .arg = sh};
    struct cw_buf url;
    int rc = cw_own_server_open(&options, &sh->server, err);
    if (rc < 0 || sh->server == NULL)
        return rc;
    cw_buf_init(&url, SIZE_MAX);
    cw_own_server_url(sh->server, &url);
    cw_state_dir_tell_url(&sh->state_dir, cw_buf_z(&url));
    cw_buf_fini(&url);
    return 0;
}

/* ---- making one ---- */

static void host_init(struct cw_shipper *sh)
{
    sh->host = (struct cw_push_host){.loop = &sh->loop,
                                     .http = sh->host.http,
                                     .sources = sh->sources,
                                     .metrics = sh->metrics,
                                     .dead_letters = sh->dead_letters,
                                     .pieces = cw_batch_pieces_new(),
                                     .shipper = sh->state_dir.known.shipper,
                                     .sessions = sh->state_dir.known.sessions,
                                     .nsessions = sh->state_dir.known.nsessions,
                                     .limits = &sh->config->limits,
                                     .once = sh->args->once,
                                     .on_twin = on_twin,
                                     .on_changed = on_source_changed,
                                     .on_settled = on_settled,
                                     .on_give_up = on_give_up,
                                     .on_tenant = on_tenant,
                                     .arg = sh};
}

/* Entries for this tenant were met. It is on disk before anything of what follows them is settled for
 * others: after a kill, it is for its sake too that a source is read from its position on. */
static bool on_tenant(void *arg, struct cw_str tenant)
{
    struct cw_shipper *sh = arg;
    enum cw_outputs_served served = cw_outputs_serve(sh->outputs, tenant);
    if (served == CW_OUTPUTS_NEW)
        sh->sources->unsaved = true;
    return served != CW_OUTPUTS_FULL &&
           (served != CW_OUTPUTS_NEW || !sh->started || positions_save(sh));
}

static int outputs_new(struct cw_shipper *sh, struct cw_err *err)
{
    const struct cw_positions *known = &sh->state_dir.known;
    if (!sh->args->dry_run)
        cw_state_dir_clients_set(&sh->state_dir, &sh->config->clients);
    struct cw_outputs_options options = {.config = sh->config,
                                         .host = &sh->host,
                                         .clients = known->clients,
                                         .dry_run = sh->args->dry_run};
    return cw_outputs_new(&options, known->tenants, known->ntenants, &sh->outputs, err);
}

/* How many files may be open. */
static size_t files_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return 0;
    return limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? limit.rlim_cur - DESCRIPTORS_KEPT
                                                 : CW_MAX(limit.rlim_cur / 2, 1u);
}

static void sources_new(struct cw_shipper *sh)
{
    struct cw_sources_options options = {
        .metrics = sh->metrics,
        .watch = sh->watch,
        .from_end = sh->args->from_end && sh->state_dir.first_start,
        .only_public = sh->args->only_public,
        .once = sh->args->once,
        .final_wait_ns = sh->args->once ? ONCE_FINAL_WAIT_NS : CW_SOURCES_FINAL_WAIT_NS,
        .imported = sh->state_dir.imported,
        .nimported = sh->state_dir.nimported,
        .max_open = files_max(),
        .unpack_folder = sh->args->dry_run ? P_tmpdir : sh->state_dir.folder,
        .looked_ns = sh->state_dir.looked_ns,
        .own_files = sh->state_dir.positions_path,
        .on_tenant = on_tenant,
        .arg = sh,
    };
    sh->sources = cw_sources_new(&options);
}

/* Beside the positions; of a dry run, which remembers nothing, in a folder that is removed. */
static int spool_folder_new(struct cw_shipper *sh, struct cw_err *err)
{
    char temporary[] = "/tmp/cordwood-dry-run-XXXXXX";
    struct cw_buf folder;
    cw_buf_init(&folder, SIZE_MAX);
    if (!sh->args->dry_run)
        cw_buf_addf(&folder, "%s.spool", sh->state_dir.positions_path);
    else if (mkdtemp(temporary) != NULL)
        cw_buf_addz(&folder, temporary);
    else
        return cw_err_errno(err, CW_E_IO, errno, "make %s", temporary);
    sh->spool_folder = cw_str_dupz(cw_buf_str(&folder));
    cw_buf_fini(&folder);
    return 0;
}

/* What is to be read. */
static int scrapes_new(struct cw_shipper *sh, struct cw_err *err)
{
    const struct cw_scrape_config *configs = sh->config->scrape_configs.items;
    sh->discovery_host = (struct cw_discovery_host){.loop = &sh->loop,
                                                    .http = sh->host.http,
                                                    .sources = sh->sources,
                                                    .metrics = sh->metrics,
                                                    .folder = sh->spool_folder,
                                                    .spool = &sh->config->spool,
                                                    .once = sh->args->once,
                                                    .on_targets = on_targets,
                                                    .arg = sh};
    cw_kept_metrics_init(&sh->kept_metrics,
                         sh->config->keep_stage_metrics ? sh->state_dir.positions_path : NULL);
    const struct cw_limits_config *limits = &sh->config->limits;
    if (limits->rate_enabled)
        sh->kept_metrics.host.limit =
            (struct cw_shared_limit){.rate = limits->rate,
                                     .burst = (double)limits->burst,
                                     .drop = limits->rate_drop,
                                     .bucket = {(double)limits->burst, INT64_MIN}};
    int rc = cw_pipelines_init(&sh->pipelines, &sh->config->pipelines, &sh->kept_metrics.host, err);
    if (rc < 0)
        return rc;
    sh->scrapes = cw_mem_array(sh->config->scrape_configs.n + 1, sizeof *sh->scrapes);
    for (size_t i = 0; i < sh->config->scrape_configs.n; i++) {
        rc = cw_scrape_init(&sh->scrapes[i], &configs[i], &sh->pipelines, &sh->kept_metrics.host,
                            err);
        if (rc < 0)
            return rc;
        sh->nscrapes++;
    }
    cw_kept_metrics_load(&sh->kept_metrics);
    sh->discoveries = cw_discoveries_new(&sh->discovery_host, sh->scrapes, sh->nscrapes);
    return 0;
}

static void scrapes_free(struct cw_shipper *sh)
{
    for (size_t i = 0; i < sh->nscrapes; i++)
        cw_scrape_fini(&sh->scrapes[i]);
    free(sh->scrapes);
    cw_pipelines_fini(&sh->pipelines);
}

static int receivers_new(struct cw_shipper *sh, struct cw_err *err)
{
    struct cw_receivers_options options = {.loop = &sh->loop,
                                           .config = sh->config,
                                           .scrapes = sh->scrapes,
                                           .nscrapes = sh->nscrapes,
                                           .folder = sh->spool_folder,
                                           .sources = sh->sources,
                                           .metrics = sh->metrics,
                                           .once = sh->args->once,
                                           .on_segment = on_segment,
                                           .on_stopped = on_settled,
                                           .arg = sh};
    return cw_receivers_new(&options, &sh->receivers, err);
}

static void receivers_free(struct cw_shipper *sh)
{
    struct cw_err err;
    cw_receivers_free(&sh->receivers);
    if (sh->args->dry_run && sh->spool_folder != NULL &&
        cw_file_tree_remove(sh->spool_folder, &err) < 0)
        cw_log_warn("%s", err.text);
    free(sh->spool_folder);
}

static int loop_init(struct cw_shipper *sh, struct cw_err *err)
{
    int rc = uv_loop_init(&sh->loop);
    if (rc < 0)
        return cw_err_set(err, CW_E_INTERNAL, "event loop: %s", uv_strerror(rc));
    sh->handles = true;
    uv_timer_t *timers[] = {&sh->tick, &sh->poll, &sh->rescan,
                            &sh->save, &sh->work, &sh->stop_grace};
    for (size_t i = 0; i < CW_COUNT(timers); i++)
        uv_timer_init(&sh->loop, timers[i]);
    uv_signal_init(&sh->loop, &sh->sigterm);
    uv_signal_init(&sh->loop, &sh->sigint);
    uv_signal_init(&sh->loop, &sh->sighup);
    sh->sigterm.data = sh->sigint.data = sh->sighup.data = sh;
    struct cw_watch_events events = {on_renamed, on_name, on_file, on_change, sh};
    struct cw_err watch_err;
    if (cw_watch_open(&sh->loop, &events, &sh->watch, &watch_err) < 0)
        cw_log_warn("files are polled: %s", watch_err.text);
    return cw_http_client_new(&sh->loop, &sh->host.http, err);
}

int cw_shipper_new(const struct cw_shipper_config *config, const struct cw_shipper_args *args,
                   struct cw_shipper **out, struct cw_err *err)
{
    struct cw_shipper *sh = cw_mem_new(sizeof *sh);
    sh->config = config;
    sh->args = args;
    sh->ends = args->once || cw_shipper_config_ends(config);
    sh->state_dir.lock_fd = -1;
    sh->metrics = cw_metrics_new(cw_shipper_metric_defs, CW_M_SHIPPER_N);
    int rc = args->dry_run ? 0 : cw_state_dir_open(config->positions_file.ptr, &sh->state_dir, err);
    if (rc == 0)
        rc = loop_init(sh, err);
    if (rc == 0) {
        if (sh->state_dir.refused_path != NULL)
            sh->dead_letters = cw_dead_letters_new(sh->state_dir.refused_path, sh->metrics);
        sources_new(sh);
        host_init(sh);
        if (args->dry_run)
            sh->dry_run = cw_dry_run_new(config, args->inspect);
        rc = outputs_new(sh, err);
    }
    if (rc == 0) {
        if (!args->dry_run) {
            cw_state_dir_restore(&sh->state_dir, sh->sources);
            sh->host.sessions = sh->state_dir.known.sessions;
        }
        rc = spool_folder_new(sh, err);
    }
    if (rc == 0)
        rc = scrapes_new(sh, err);
    if (rc == 0)
        rc = receivers_new(sh, err);
    if (rc == 0)
        rc = server_start(sh, err);
    if (rc == 0)
        rc = cw_receivers_start(sh->receivers, err);
    if (rc < 0)
        cw_shipper_free(&sh);
    *out = sh;
    return rc;
}

int cw_shipper_run(struct cw_shipper *sh)
{
    uint64_t tick_ms = sh->args->once ? TICK_ENDING_MS : TICK_MS;
    uv_timer_start(&sh->tick, on_tick, tick_ms, tick_ms);
    uint64_t rescan_ms = (uint64_t)(sh->config->rescan_ns / CW_NS_PER_MS);
    uint64_t save_ms = (uint64_t)(sh->config->positions_sync_ns / CW_NS_PER_MS);
    uv_timer_start(&sh->rescan, on_rescan, rescan_ms, rescan_ms);
    uv_timer_start(&sh->save, on_save, save_ms, save_ms);
    uv_signal_start(&sh->sigterm, on_signal, SIGTERM);
    uv_signal_start(&sh->sigint, on_signal, SIGINT);
    uv_signal_start(&sh->sighup, on_reload, SIGHUP);
    signals_mask(SIG_UNBLOCK);
    folders_scan(sh);
    cw_log_info("reading %zu files", sh->sources->n);
    if (positions_save(sh)) { /* the session is durable before it is told */
        sh->started = true;
        cw_outputs_start(sh->outputs);
        cw_discoveries_start(sh->discoveries);
        work_soon(sh, 0);
    } else {
        sh->exit_status = 1;
        shipper_close(sh);
    }
    uv_run(&sh->loop, UV_RUN_DEFAULT);
    return sh->exit_status;
}

void cw_shipper_free(struct cw_shipper **shipper)
{
    struct cw_shipper *sh = *shipper;
    if (sh == NULL)
        return;
    cw_own_server_stop(sh->server);
    if (sh->handles) {
        if (sh->state != SHIPPER_CLOSED && sh->sources != NULL)
            shipper_close(sh);
        uv_run(&sh->loop, UV_RUN_DEFAULT);
        int rc = uv_loop_close(&sh->loop);
        CW_ASSERT(rc == 0);
    }
    cw_own_server_free(&sh->server);
    for (size_t i = 0; i < sh->nscrapes && sh->dry_run != NULL; i++)
        cw_dry_run_findings(sh->scrapes[i].stages, sh->scrapes[i].config->job_name);
    cw_dry_run_free(&sh->dry_run);
    receivers_free(sh);
    cw_sources_free(&sh->sources);
    cw_outputs_free(&sh->outputs);
    cw_batch_pieces_free(&sh->host.pieces);
    scrapes_free(sh);
    cw_kept_metrics_fini(&sh->kept_metrics);
    cw_dead_letters_free(&sh->dead_letters);
    cw_metrics_free(&sh->metrics);
    cw_state_dir_close(&sh->state_dir);
    free(sh);
    *shipper = NULL;
}
