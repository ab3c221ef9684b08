/*
 * decoder.h - decompress a stream of any length piece by piece: gzip (RFC 1952, any number of members), zstd (RFC 8878, any
 * number of frames), zlib (RFC 1950), bzip2 and xz (any number of streams).
 *
 * Ownership  A decoder belongs to its maker. Input is borrowed until the call returns.
 * Errors     CW_E_INVALID: the bytes are no such stream; what was written before is good.
 */
#ifndef CW_BASE_DECODER_H
#define CW_BASE_DECODER_H
#include <stdbool.h>
#include "common/base/codec.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* A window of a zstd frame larger than this is refused, as the zstd command does without --long: it is memory. */
#define CW_DECODER_WINDOW_LOG 27

struct cw_decoder;
/* And xz may take so much: enough for `xz -9`. */
#define CW_DECODER_XZ_BYTES (80u << 20)

/* What a stream is, by its first bytes (CW_DECODER_MAGIC_BYTES are enough); NONE: none of those. */
#define CW_DECODER_MAGIC_BYTES 6
enum cw_codec cw_decoder_codec_of(struct cw_str first);
/* Whether it may be zlib's: two bytes say it, which a text may begin with too. */
bool cw_decoder_may_be_zlib(struct cw_str first);
/* GZIP, ZSTD, DEFLATE (zlib), BZIP2 or XZ. */
struct cw_decoder *cw_decoder_new(enum cw_codec codec);
/* NULL is fine. */
void cw_decoder_free(struct cw_decoder **decoder);
/* Take bytes off the front of *in and write at most `room` of what they say; how many were written. Call again while *in is not
 * empty or `room` was filled. */
int cw_decoder_run(struct cw_decoder *decoder, struct cw_str *in, char *out, size_t room,
                   size_t *written_out, struct cw_err *err) CW_MUST_USE;
/* Did the last run end where a member or frame does? At the end of the input it must have. */
bool cw_decoder_at_end(const struct cw_decoder *decoder);

#endif
