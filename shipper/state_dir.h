/*
 * state_dir.h - the shipper's durable state: its uuid and sessions, the positions of its sources,
 * and the lock on them.
 *
 * Files      <positions>.cordwood, and beside it .cordwood.lock (pid, and the URL of the HTTP
 *            server), .cordwood.refused (dead letters), .cordwood.ledger (tally_file.h).
 * Errors     CW_E_FORBIDDEN: another shipper runs with it (named by its pid); CW_E_CORRUPT;
 *            CW_E_IO, which says how another place is named.
 */
#ifndef CW_SHIPPER_STATE_DIR_H
#define CW_SHIPPER_STATE_DIR_H
#include <stdbool.h>
#include "shipper/positions.h"
#include "shipper/sources.h"

struct cw_state_dir {
    struct cw_arena *arena; /* of `known` and `imported` */
    char *folder, *positions_path, *refused_path, *ledger_path;
    /* As in the positions; of a file without it when that was last written; 0: first start. */
    int64_t looked_ns;
    int lock_fd;
    struct cw_positions known; /* uuid, all sessions, the tenants at the start; no sources */
    struct cw_buf positions;   /* the file at the start, until it is restored */
    struct cw_promtail_position *imported; /* from promtail's file, at the very first start */
    size_t nimported;
    bool first_start;
};

/* Where the dead letters of positions.filename are. */
const char *cw_state_dir_refused_path(struct cw_str promtail_path, struct cw_arena *arena);
/* Lock, read, draw this start's session (not yet on disk: cw_state_dir_save). `promtail_path` is
 * positions.filename. */
int cw_state_dir_open(const char *promtail_path, struct cw_state_dir *out,
                      struct cw_err *err) CW_MUST_USE;
void cw_state_dir_close(struct cw_state_dir *state);
/* The clients of this start: what is known of them, and new ids. Durable with the next save. */
void cw_state_dir_clients_set(struct cw_state_dir *state, const struct cw_config_tables *clients);
/* Tell the sources what the positions and the ledger know; a ledger that cannot be read is told in the log, and begun anew. Once;
 * of `known` and `imported` only uuid, sessions and clients stay, elsewhere in memory. */
void cw_state_dir_restore(struct cw_state_dir *state, struct cw_sources *sources);
/* Write where our HTTP server's paths begin behind the pid, for `audit`. */
void cw_state_dir_tell_url(const struct cw_state_dir *state, const char *url);
/* Another uuid: the directory was copied. Durable with the next save. */
void cw_state_dir_draw_shipper(struct cw_state_dir *state);
/* Make ids, sessions and positions durable, and tell the sources so. */
int cw_state_dir_save(struct cw_state_dir *state, struct cw_sources *sources,
                      struct cw_err *err) CW_MUST_USE;
/* The ledger alone, which may be ahead of the positions. That it could not be written is logged. */
void cw_state_dir_save_ledger(const struct cw_state_dir *state, struct cw_sources *sources);

#endif
