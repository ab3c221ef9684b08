#include "shipper/push_body.h"
#include "common/base/codec.h"

static int codec_of(struct cw_str encoding, enum cw_codec *out, struct cw_err *err)
{
    static const struct {
        const char *name;
        enum cw_codec codec;
    } codecs[] = {{"", CW_CODEC_NONE},           {"identity", CW_CODEC_NONE},
                  {"snappy", CW_CODEC_NONE},     {"gzip", CW_CODEC_GZIP},
                  {"deflate", CW_CODEC_DEFLATE}, {"zstd", CW_CODEC_ZSTD},
                  {"lz4", CW_CODEC_LZ4_FRAME}};
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (cw_str_eqz(encoding, codecs[i].name)) {
            *out = codecs[i].codec;
            return 0;
        }
    return cw_err_set(err, CW_E_INVALID, "Content-Encoding \"%.*s\" not supported",
                      CW_STR_ARG(encoding));
}

/* Unpack *bytes into `buf`, which then holds them. */
static int unpack(enum cw_codec codec, struct cw_str *bytes, struct cw_buf *buf, struct cw_err *err)
{
    if (codec == CW_CODEC_NONE)
        return 0;
    int rc = cw_codec_decompress(codec, *bytes, CW_PUSH_BODY_RAW_BYTES, buf, err);
    *bytes = cw_buf_str(buf);
    return rc;
}

static void lines_decode(struct cw_str rest, struct cw_arena *arena, struct cw_push *out)
{
    size_t cap = 0;
    struct cw_str line;
    *out = (struct cw_push){.streams = CW_ARENA_NEW(arena, struct cw_push_stream), .nstreams = 1};
    struct cw_push_stream *stream = out->streams;
    while (cw_str_split(&rest, '\n', &line)) {
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0)
            continue;
        stream->entries = cw_arena_grow(arena, stream->entries, stream->nentries, &cap,
                                        stream->nentries + 1, sizeof *stream->entries);
        stream->entries[stream->nentries++] =
            (struct cw_push_entry){.ts_ns = CW_PUSH_TS_NONE, .line = line};
    }
    out->nentries = stream->nentries;
}

int cw_push_body_decode(const struct cw_push_body *body, int64_t now_ns, struct cw_buf *raw,
                        struct cw_arena *arena, struct cw_push *out, struct cw_err *err)
{
    struct cw_str bytes = body->bytes, rest = body->content_type, type = CW_STR_NONE;
    enum cw_codec around = CW_CODEC_NONE;
    (void)cw_str_split(&rest, ';', &type); /* without parameters */
    bool json = cw_str_eq_nocase(cw_str_trim(type), CW_STR("application/json"));
    int rc = codec_of(body->content_encoding, &around, err);
    if (rc == 0)
        rc = unpack(around, &bytes, raw, err);
    if (rc < 0)
        return rc;
    switch (body->kind) {
    case CW_PUSH_BODY_LINES: lines_decode(bytes, arena, out); return 0;
    case CW_PUSH_BODY_OTLP:
        return json ? cw_push_otlp_json_decode(bytes, NULL, arena, now_ns, out, err)
                    : cw_push_otlp_protobuf_decode(bytes, NULL, arena, now_ns, out, err);
    case CW_PUSH_BODY_LOKI: break;
    }
    if (json)
        return cw_push_loki_json_decode(bytes, arena, out, err);
    struct cw_buf plain;
    cw_buf_init(&plain, CW_PUSH_BODY_RAW_BYTES);
    rc = unpack(CW_CODEC_SNAPPY, &bytes, &plain, err);
    if (rc == 0) {
        cw_buf_fini(raw);
        *raw = plain;
        rc = cw_push_loki_protobuf_decode(cw_buf_str(raw), arena, out, err);
    } else {
        cw_buf_fini(&plain);
    }
    return rc;
}
