#include "shipper/state_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/base/log.h"

static void id_draw(struct cw_id128 *id)
{
    ssize_t got = getrandom(id->bytes, sizeof id->bytes, 0);
    CW_ASSERT(got == (ssize_t)sizeof id->bytes);
}

static char *path_with(const char *path, const char *suffix)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_addf(&text, "%s%s", path, suffix);
    char *z = cw_str_dupz(cw_buf_str(&text));
    cw_buf_fini(&text);
    return z;
}

/* The error of a place that cannot be had, with what to do about it. */
static int place_refused(struct cw_err *err)
{
    struct cw_err why = *err;
    return cw_err_set(
        err, why.code,
        "%s; the positions are kept there: let the shipper write it, or name another "
        "place (in a configuration positions.filename, without one --state-dir DIR or "
        "XDG_STATE_HOME)",
        why.text);
}

static int folder_make(const char *path, struct cw_err *err)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return 0;
    char *folder = cw_str_dupz(cw_str_make(path, (size_t)(slash - path)));
    int rc = cw_file_mkdirs(folder, err);
    free(folder);
    return rc < 0 ? place_refused(err) : 0;
}

static int lock_take(struct cw_state_dir *state, const char *promtail_path, struct cw_err *err)
{
    char *path = path_with(promtail_path, ".cordwood.lock"), pid[24] = "";
    int rc = 0, fd = cw_file_open(path, O_RDWR | O_CREAT, err);
    if (fd < 0) {
        rc = place_refused(err);
    } else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t len = pread(fd, pid, sizeof pid - 1, 0);
        rc = cw_err_set(err, CW_E_FORBIDDEN, "%s: another shipper%s%.*s runs with these positions",
                        path, len > 0 ? ", pid " : "", len > 0 ? (int)strcspn(pid, "\n") : 0, pid);
        close(fd);
    } else {
        int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
        state->lock_fd = fd;
        if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) != len)
            rc = cw_err_errno(err, CW_E_IO, errno, "write %s", path);
    }
    free(path);
    return rc;
}

static int promtail_import(struct cw_state_dir *state, const char *promtail_path,
                           struct cw_err *err)
{
    struct cw_buf yaml;
    size_t nbad = 0;
    cw_buf_init(&yaml, CW_POSITIONS_PROMTAIL_BYTES);
    int rc = cw_file_read(promtail_path, CW_POSITIONS_PROMTAIL_BYTES, &yaml, err);
    if (rc == 0)
        rc = cw_positions_import(cw_buf_str(&yaml), promtail_path, state->arena, &state->imported,
                                 &state->nimported, &nbad, err);
    if (nbad > 0)
        cw_log_warn("%s: the positions of %zu files are no offsets: they are read from their "
                    "beginnings",
                    promtail_path, nbad);
    if (rc == 0)
        cw_log_info("going on from promtail's %zu positions in %s", state->nimported,
                    promtail_path);
    cw_buf_fini(&yaml);
    return rc == CW_E_NOT_FOUND ? 0 : rc;
}

static void on_source_checked(void *arg, const struct cw_position *source)
{
    (void)arg;
    (void)source;
}

/* All of the file is good, and what is ahead of the sources known. */
static int positions_read(struct cw_state_dir *state, const char *promtail_path, struct cw_err *err)
{
    int rc = cw_file_read(state->positions_path, CW_POSITIONS_BYTES, &state->positions, err);
    if (rc == CW_E_NOT_FOUND) {
        state->first_start = true;
        id_draw(&state->known.shipper);
        return promtail_import(state, promtail_path, err);
    }
    if (rc == 0) {
        rc = cw_positions_walk(cw_buf_str(&state->positions), state->arena, &state->known,
                               on_source_checked, NULL, err);
        if (rc < 0)
            cw_err_wrap(err, "positions file %s", state->positions_path);
    }
    return rc;
}

/* Room for one more: the oldest go. */
static void session_draw(struct cw_state_dir *state)
{
    struct cw_positions *known = &state->known;
    struct cw_id128 *sessions =
        CW_ARENA_ARRAY(state->arena, struct cw_id128, CW_DELIVERY_SESSIONS_MAX);
    size_t keep = CW_MIN(known->nsessions, (size_t)CW_DELIVERY_SESSIONS_MAX - 1);
    if (keep > 0)
        memcpy(sessions, known->sessions + (known->nsessions - keep), keep * sizeof *sessions);
    id_draw(&sessions[keep]);
    known->sessions = sessions;
    known->nsessions = keep + 1;
}

const char *cw_state_dir_refused_path(struct cw_str promtail_path, struct cw_arena *arena)
{
    return cw_arena_printf(arena, "%.*s.cordwood.refused", CW_STR_ARG(promtail_path)).ptr;
}

int cw_state_dir_open(const char *promtail_path, struct cw_state_dir *out, struct cw_err *err)
{
    *out = (struct cw_state_dir){.lock_fd = -1,
                                 .arena = cw_arena_new(),
                                 .positions_path = path_with(promtail_path, ".cordwood"),
                                 .refused_path = path_with(promtail_path, ".cordwood.refused"),
                                 .ledger_path = path_with(promtail_path, ".cordwood.ledger")};
    cw_buf_init(&out->positions, CW_POSITIONS_BYTES);
    struct stat st;
    const char *slash = strrchr(promtail_path, '/');
    out->folder =
        slash == NULL
            ? cw_str_dupz(CW_STR("."))
            : cw_str_dupz(cw_str_make(promtail_path, CW_MAX((size_t)(slash - promtail_path), 1u)));
    if (stat(out->positions_path, &st) == 0)
        out->looked_ns = st.st_mtim.tv_sec * CW_NS_PER_S + st.st_mtim.tv_nsec;
    int rc = folder_make(promtail_path, err);
    if (rc == 0)
        rc = lock_take(out, promtail_path, err);
    if (rc == 0)
        rc = positions_read(out, promtail_path, err);
    if (rc < 0) {
        cw_state_dir_close(out);
        return rc;
    }
    if (out->known.looked_ns > 0)
        out->looked_ns = out->known.looked_ns;
    session_draw(out);
    return 0;
}

void cw_state_dir_clients_set(struct cw_state_dir *state, const struct cw_config_tables *clients)
{
    struct cw_positions *known = &state->known;
    known->clients =
        cw_client_ids_match(known->clients, known->nclients, clients, state->arena, id_draw);
    known->nclients = clients->n;
}

static void ledger_restore(const struct cw_state_dir *state, struct cw_sources *sources)
{
    struct cw_buf text;
    struct cw_err err;
    cw_buf_init(&text, CW_TALLY_FILE_BYTES);
    int rc = cw_file_read(state->ledger_path, CW_TALLY_FILE_BYTES, &text, &err);
    if (rc == 0)
        rc = cw_sources_tallies_restore(sources, cw_buf_str(&text), &err);
    if (rc < 0 && rc != CW_E_NOT_FOUND)
        cw_log_warn("%s: %s; counts begin anew", state->ledger_path, err.text);
    cw_buf_fini(&text);
}

static void on_source(void *arg, const struct cw_position *source)
{
    cw_sources_restore(arg, source);
}

static void sources_restore(struct cw_state_dir *state, struct cw_sources *sources)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_positions head;
    struct cw_err err;
    if (!state->first_start) {
        int rc = cw_positions_walk(cw_buf_str(&state->positions), arena, &head, on_source, sources,
                                   &err);
        CW_ASSERT(rc == 0); /* it was read before */
    }
    cw_arena_free(&arena);
    cw_buf_fini(&state->positions);
}

void cw_state_dir_restore(struct cw_state_dir *state, struct cw_sources *sources)
{
    sources_restore(state, sources);
    cw_sources_held_find(sources);
    ledger_restore(state, sources);
    struct cw_arena *arena = cw_arena_new();
    struct cw_positions *known = &state->known;
    struct cw_id128 *sessions = CW_ARENA_ARRAY(arena, struct cw_id128, known->nsessions);
    memcpy(sessions, known->sessions, known->nsessions * sizeof *sessions);
    known->sessions = sessions;
    struct cw_known_client *clients =
        CW_ARENA_ARRAY(arena, struct cw_known_client, known->nclients);
    for (size_t i = 0; i < known->nclients; i++) {
        clients[i] = known->clients[i];
        clients[i].name = cw_arena_dup(arena, clients[i].name);
    }
    known->clients = clients;
    known->tenants = NULL;
    known->ntenants = 0;
    state->imported = NULL;
    state->nimported = 0;
    cw_arena_free(&state->arena);
    state->arena = arena;
}

void cw_state_dir_close(struct cw_state_dir *state)
{
    if (state->lock_fd >= 0)
        close(state->lock_fd);
    cw_arena_free(&state->arena);
    cw_buf_fini(&state->positions);
    free(state->folder);
    free(state->positions_path);
    free(state->refused_path);
    free(state->ledger_path);
    *state = (struct cw_state_dir){.lock_fd = -1};
}

void cw_state_dir_draw_shipper(struct cw_state_dir *state)
{
    id_draw(&state->known.shipper);
}

void cw_state_dir_tell_url(const struct cw_state_dir *state, const char *url)
{
    char text[320];
    int len = snprintf(text, sizeof text, "%ld\n%s\n", (long)getpid(), url);
    if (state->lock_fd >= 0 && len < (int)sizeof text &&
        pwrite(state->lock_fd, text, (size_t)len, 0) != len)
        cw_log_warn("the address %s could not be written into the lock file", url);
}

/* Counts decide nothing: a ledger that cannot be written does not hold up deliveries. */
void cw_state_dir_save_ledger(const struct cw_state_dir *state, struct cw_sources *sources)
{
    struct cw_file_writer writer;
    struct cw_err err;
    cw_file_writer_open(&writer, state->ledger_path, CW_TALLY_FILE_BYTES);
    cw_sources_tallies_write(sources, &writer);
    if (cw_file_writer_commit(&writer, &err) < 0)
        cw_log_warn("the ledger could not be written: %s", err.text);
    else
        cw_sources_tallies_saved(sources);
}

/* One by one: the positions of all take more memory than there should be. */
static int positions_save(const struct cw_state_dir *state, const struct cw_sources *sources,
                          struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_positions head = state->known;
    struct cw_file_writer writer;
    cw_sources_tenants(sources, arena, &head);
    head.looked_ns = sources->looked_ns;
    cw_file_writer_open(&writer, state->positions_path, CW_POSITIONS_BYTES);
    cw_positions_head_encode(&head, &writer.piece);
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_position position = cw_sources_position(sources, i);
        cw_position_encode(&position, &writer.piece);
        cw_file_writer_pass(&writer);
    }
    cw_file_writer_check_line(&writer);
    cw_arena_free(&arena);
    return cw_file_writer_commit(&writer, err);
}

int cw_state_dir_save(struct cw_state_dir *state, struct cw_sources *sources, struct cw_err *err)
{
    /* Ahead of the positions: what a kill in between makes be read again does not count again (tally.h). */
    cw_state_dir_save_ledger(state, sources);
    int rc = positions_save(state, sources, err);
    if (rc == 0)
        cw_sources_saved(sources);
    return rc;
}
