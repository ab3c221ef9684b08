/*
 * positions.h - what the shipper remembers across restarts: its uuid, its sessions, and how far
 * each source is settled.
 *
 * The file is text, one thing a line, and ends with a checksum of what is before:
 *   cordwood-positions 2
 *   shipper <32 hex>
 *   session <32 hex>                        one a start, oldest first
 *   looked <ns>                             may be missing
 *   client <32 hex> <16 hex> <name>         client_ids.h: id, what it sends, name as a path is written
 *   tenant <name>                           written as a path is
 *   source <32 hex> <generation> <offset>   then, in the same line,
 *     <dev> <ino> <birth_ns> <prefix_len> <prefix_hash> <path> <path_now>
 *   check <16 hex>                          XXH3 of all bytes before this line
 * A file of version 1 has no `looked` and `client` and is read too.
 * Bytes of a path up to 0x20, 0x7f and '%' are written as %XX. It is valid only whole:
 * a cw_file_writer writes it.
 *
 * Ownership  Decoded values live in the arena.
 * Errors     CW_E_NOT_FOUND (no file yet), CW_E_CORRUPT (says what; never guessed around: a
 *            position that is too small repeats lines, one too large loses them), CW_E_TOO_LARGE,
 *            CW_E_IO. Any bytes are safe to decode.
 */
#ifndef CW_SHIPPER_POSITIONS_H
#define CW_SHIPPER_POSITIONS_H
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/wire/delivery.h"
#include "shipper/client_ids.h"
#include "shipper/file_identity.h"

/* Some 200 bytes a source: room for 300,000 of them. */
#define CW_POSITIONS_BYTES (64u << 20)

struct cw_position {
    struct cw_id128 id;
    uint64_t generation, offset; /* all below offset is settled for every output */
    struct cw_file_identity identity;
    struct cw_str path;     /* where it was first seen: its label `filename` */
    struct cw_str path_now; /* where it was last seen */
};

struct cw_positions {
    struct cw_id128 shipper;
    struct cw_id128 *sessions;
    size_t nsessions;
    /* Compressed generations that were made up to then are in the sources, or done with
     * (sources_generations.c); 0: nothing is known. Nanoseconds since the Unix epoch. */
    int64_t looked_ns;
    struct cw_known_client *clients;
    size_t nclients;
    /* That lines were met for: each has a mark of its own in every store, and a source's position is
     * what is settled for all of them. */
    struct cw_str *tenants;
    size_t ntenants;
    struct cw_position *sources;
    size_t nsources;
};

/* What stands ahead of the sources; one of them; and all, with the check line. */
void cw_positions_head_encode(const struct cw_positions *positions, struct cw_buf *out);
void cw_position_encode(const struct cw_position *source, struct cw_buf *out);
/* A path (or a name) as a word of the file, and back; an empty one is none. */
void cw_positions_path_encode(struct cw_str path, struct cw_buf *out);
bool cw_positions_path_decode(struct cw_str text, struct cw_arena *arena, struct cw_str *out);
void cw_positions_encode(const struct cw_positions *positions, struct cw_buf *out);
/* Each source is told to `fn`, and is not in *out; what it holds is borrowed until `fn` returns. */
typedef void (*cw_position_fn)(void *arg, const struct cw_position *source);
int cw_positions_walk(struct cw_str bytes, struct cw_arena *arena, struct cw_positions *out,
                      cw_position_fn fn, void *arg, struct cw_err *err) CW_MUST_USE;
int cw_positions_decode(struct cw_str bytes, struct cw_arena *arena, struct cw_positions *out,
                        struct cw_err *err) CW_MUST_USE;
int cw_positions_load(const char *path, struct cw_arena *arena, struct cw_positions *out,
                      struct cw_err *err) CW_MUST_USE;

/* A file's, or a cursor's: then `path` is "cursor-<job>" (the journal's) or "cursor-<container>" (seconds since the Unix epoch). */
struct cw_promtail_position {
    struct cw_str path;
    uint64_t offset;      /* of a cursor 0 */
    struct cw_str cursor; /* of a file none */
};
/* Of 50,000 files whose paths are as long as those of Kubernetes' pods. */
#define CW_POSITIONS_PROMTAIL_BYTES (16u << 20)

/* promtail's own file (YAML: `positions: {path: "offset"}`); entries that are neither are left out. Of files, those whose
 * offsets are none are counted in *nbad_out. */
int cw_positions_import(struct cw_str yaml, const char *name, struct cw_arena *arena,
                        struct cw_promtail_position **out, size_t *n_out, size_t *nbad_out,
                        struct cw_err *err) CW_MUST_USE;

#endif
