/*
 * unpack.h - a compressed log (gzip, zstd, bzip2, xz, zlib) as a file that can be read by offset.
 *
 * What it says is written, as it is needed, into a file without a name beside the positions, which
 * the reader sees grow; what is settled is taken back from the disk. So at most CW_UNPACK_AHEAD_BYTES
 * lie there, however much the compressed file holds, and nothing is left behind by a kill: the next
 * start unpacks from the beginning again, and keeps only what lies behind the position. Offsets are
 * those of the text, which the same file always gives.
 *
 * Ownership  The unpacking owns its descriptors; `fd` of cw_unpack_fd() is borrowed.
 * Errors     CW_E_NOT_FOUND, CW_E_FORBIDDEN, CW_E_IO, CW_E_INVALID (no such file). A damaged file is
 *            told by cw_unpack_step(); what was before the damage is good.
 * Threads    The loop's; a step takes a few milliseconds.
 */
#ifndef CW_SHIPPER_UNPACK_H
#define CW_SHIPPER_UNPACK_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "common/base/codec.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* More than any batch reads at once. */
#define CW_UNPACK_AHEAD_BYTES (48u << 20)
/* A file that ends in the middle of its stream may still be written; when it was not for so long it is cut. */
#define CW_UNPACK_CUT_NS (60 * INT64_C(1000000000))

struct cw_unpack;

enum cw_unpack_state {
    CW_UNPACK_MORE,    /* there may be more to unpack now */
    CW_UNPACK_AHEAD,   /* enough for now: what is there must be settled first */
    CW_UNPACK_WAITING, /* its end is not written yet, or the disk failed (full): *err says so */
    CW_UNPACK_DONE,
    CW_UNPACK_DAMAGED, /* DONE, but what followed is lost */
};

/* The name without .gz, .zst, .bz2 or .xz, or empty. */
struct cw_str cw_unpack_stem(struct cw_str name);
/* Whether the name says so, and the file's first bytes too. */
bool cw_unpack_is_packed(const char *path);

/* The format that promtail's name means: gz, z (zlib), bz2, and zst and xz. */
int cw_unpack_format(struct cw_str name, enum cw_codec *out, struct cw_err *err) CW_MUST_USE;
/* What a file is by its first bytes, whatever its name; NONE: not compressed. Zlib's say too little: it is looked for only if it is
 * the `format` that files here are said to have (DEFLATE; NONE: none is said). */
enum cw_codec cw_unpack_codec_of(const char *path, enum cw_codec format);

/* Unpack its first bytes; if there is damage behind them *err says so. `format` as above, `folder` takes the file without a name. */
int cw_unpack_open(const char *path, enum cw_codec format, const char *folder,
                   struct cw_unpack **out, struct cw_err *err) CW_MUST_USE;
void cw_unpack_close(struct cw_unpack **unpack);
int cw_unpack_fd(const struct cw_unpack *unpack);
/* Of the compressed file. */
int cw_unpack_packed_fd(const struct cw_unpack *unpack);
/* What the last step said. */
enum cw_unpack_state cw_unpack_state(const struct cw_unpack *unpack);
/* It WAITs for what is not written yet, and another may be unpacked meanwhile: the memory for it is freed, and when there is
 * more all of it is unpacked once more. False: it has no such end. */
bool cw_unpack_rest(struct cw_unpack *unpack);
bool cw_unpack_rests(const struct cw_unpack *unpack);
/* Nothing is read below `settled` any more; go on a little. *err says what is damaged, or waited for. */
enum cw_unpack_state cw_unpack_step(struct cw_unpack *unpack, uint64_t settled, int64_t now_ns,
                                    struct cw_err *err);

#endif
