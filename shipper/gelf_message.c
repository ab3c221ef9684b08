#include "shipper/gelf_message.h"
#include <stdlib.h>
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/wire/json_reader.h"
#include "common/wire/push.h"
#include "shipper/syslog_message.h"

enum { CHUNK_HEADER = 12, ID = 8 };

/* ---- chunks ---- */

struct partial {
    uint8_t id[ID];
    unsigned count, have; /* count 0: free */
    int64_t begun_ns;
    struct cw_str pieces[CW_GELF_CHUNKS_MAX]; /* heap blocks */
};

struct cw_gelf_chunks {
    struct partial *partials[CW_GELF_PARTIAL_MAX]; /* NULL: never used */
    struct cw_buf whole;
};

struct cw_gelf_chunks *cw_gelf_chunks_new(void)
{
    struct cw_gelf_chunks *chunks = cw_mem_new(sizeof *chunks);
    cw_buf_init(&chunks->whole, SIZE_MAX);
    return chunks;
}

static void partial_clear(struct partial *partial)
{
    for (unsigned i = 0; i < partial->count; i++)
        free((void *)partial->pieces[i].ptr);
    memset(partial, 0, sizeof *partial);
}

void cw_gelf_chunks_free(struct cw_gelf_chunks **chunks)
{
    struct cw_gelf_chunks *c = *chunks;
    if (c == NULL)
        return;
    for (int i = 0; i < CW_GELF_PARTIAL_MAX; i++) {
        if (c->partials[i] != NULL)
            partial_clear(c->partials[i]);
        free(c->partials[i]);
    }
    cw_buf_fini(&c->whole);
    free(c);
    *chunks = NULL;
}

/* The one with this id, or one to begin: free, too old, or the oldest. */
static struct partial *partial_of(struct cw_gelf_chunks *chunks, const char *id,
                                  int64_t now_mono_ns, uint64_t *lost)
{
    struct partial *oldest = NULL, *unused = NULL;
    int place = -1;
    for (int i = 0; i < CW_GELF_PARTIAL_MAX; i++) {
        struct partial *partial = chunks->partials[i];
        if (partial == NULL) {
            place = place < 0 ? i : place;
            continue;
        }
        if (partial->count > 0 && now_mono_ns - partial->begun_ns > CW_GELF_PARTIAL_NS) {
            partial_clear(partial);
            ++*lost;
        }
        if (partial->count == 0)
            unused = partial;
        else if (memcmp(partial->id, id, ID) == 0)
            return partial;
        else if (oldest == NULL || partial->begun_ns < oldest->begun_ns)
            oldest = partial;
    }
    if (unused == NULL && place >= 0)
        unused = chunks->partials[place] = cw_mem_new(sizeof *unused);
    if (unused == NULL) {
        partial_clear(oldest);
        ++*lost;
        unused = oldest;
    }
    memcpy(unused->id, id, ID);
    unused->begun_ns = now_mono_ns;
    return unused;
}

int cw_gelf_chunks_add(struct cw_gelf_chunks *chunks, struct cw_str datagram, int64_t now_mono_ns,
                       struct cw_str *out, uint64_t *lost, struct cw_err *err)
{
    *out = datagram;
    if (!cw_str_starts(datagram, CW_STR("\x1e\x0f")))
        return 1;
    if (datagram.len < CHUNK_HEADER)
        return cw_err_set(err, CW_E_INVALID, "a GELF chunk of %zu bytes", datagram.len);
    unsigned number = (uint8_t)datagram.ptr[10], count = (uint8_t)datagram.ptr[11];
    if (count == 0 || count > CW_GELF_CHUNKS_MAX || number >= count)
        return cw_err_set(err, CW_E_INVALID, "chunk %u of %u of a GELF message", number, count);
    struct partial *partial = partial_of(chunks, datagram.ptr + 2, now_mono_ns, lost);
    if (partial->count == 0)
        partial->count = count;
    if (partial->count != count)
        return cw_err_set(err, CW_E_INVALID, "chunks of a GELF message that count differently");
    if (partial->pieces[number].ptr != NULL)
        return 0; /* a datagram that came twice */
    struct cw_str piece = cw_str_sub(datagram, CHUNK_HEADER, datagram.len);
    partial->pieces[number] = cw_str_make(cw_str_dupz(piece), piece.len);
    if (++partial->have < count)
        return 0;
    cw_buf_clear(&chunks->whole);
    for (unsigned i = 0; i < count; i++)
        cw_buf_adds(&chunks->whole, partial->pieces[i]);
    partial_clear(partial);
    *out = cw_buf_str(&chunks->whole);
    return 1;
}

/* ---- a message ---- */

int cw_gelf_unpack(struct cw_str message, struct cw_buf *raw, struct cw_str *out,
                   struct cw_err *err)
{
    const uint8_t *b = (const uint8_t *)message.ptr;
    bool gzip = message.len >= 2 && b[0] == 0x1f && b[1] == 0x8b;
    bool zlib = message.len >= 2 && (b[0] & 0x0f) == 8 && (b[0] << 8 | b[1]) % 31 == 0;
    *out = message;
    if (!gzip && !zlib)
        return 0;
    cw_buf_clear(raw);
    int rc = cw_codec_decompress(gzip ? CW_CODEC_GZIP : CW_CODEC_DEFLATE, message, CW_GELF_BYTES,
                                 raw, err);
    *out = cw_buf_str(raw);
    return rc;
}

/* Seconds with a fraction, exact to the nanosecond: a double is not. */
static int64_t time_of(struct cw_str number)
{
    struct cw_str whole = number, fraction = CW_STR_NONE;
    int64_t seconds, ns = 0, unit = CW_NS_PER_S / 10;
    ptrdiff_t dot = cw_str_find_byte(number, '.');
    if (dot >= 0) {
        whole = cw_str_sub(number, 0, (size_t)dot);
        fraction = cw_str_sub(number, (size_t)dot + 1, number.len);
    }
    for (size_t i = 0; i < fraction.len; i++, unit /= 10) {
        if (fraction.ptr[i] < '0' || fraction.ptr[i] > '9')
            return CW_PUSH_TS_NONE; /* an exponent: nobody's time */
        ns += (fraction.ptr[i] - '0') * unit;
    }
    if (!cw_str_to_i64(whole, &seconds) || seconds < 0 ||
        __builtin_mul_overflow(seconds, CW_NS_PER_S, &seconds) ||
        __builtin_add_overflow(seconds, ns, &seconds))
        return CW_PUSH_TS_NONE;
    return seconds;
}

/* A number is a word, as promtail has it; what a program calls its level already stays. */
static struct cw_str level_of(struct cw_str value)
{
    uint64_t number;
    if (!cw_str_to_u64(value, &number))
        return value;
    return cw_str_of(number <= UINT32_MAX ? cw_syslog_severity((unsigned)number) : "");
}

static void member_set(struct cw_gelf_message *out, struct cw_str name, struct cw_str value)
{
    if (cw_str_eqz(name, "version"))
        out->version = value;
    else if (cw_str_eqz(name, "host"))
        out->host = value;
    else if (cw_str_eqz(name, "level"))
        out->level = level_of(value);
    else if (cw_str_eqz(name, "facility"))
        out->facility = value;
    else if (cw_str_eqz(name, "timestamp"))
        out->ts_ns = time_of(value);
}

int cw_gelf_message_decode(struct cw_str json, struct cw_arena *arena, struct cw_gelf_message *out,
                           struct cw_err *err)
{
    struct cw_json_reader reader;
    *out = (struct cw_gelf_message){.ts_ns = CW_PUSH_TS_NONE};
    cw_json_reader_init(&reader, json, arena);
    reader.lone_surrogates = CW_JSON_SURROGATES_REPLACED;
    int event = cw_json_next(&reader, err);
    if (event >= 0 && event != CW_JSON_OBJECT)
        return cw_err_set(err, CW_E_INVALID, "a GELF message is a JSON object");
    while (event >= 0 && (event = cw_json_next(&reader, err)) == CW_JSON_KEY) {
        struct cw_str name = reader.text;
        event = cw_json_next(&reader, err);
        if (event == CW_JSON_STRING || event == CW_JSON_NUMBER)
            member_set(out, name, reader.text);
        else if (event >= 0)
            event = cw_json_skip_rest(&reader, event, err);
    }
    if (event < 0)
        return event;
    size_t end = cw_json_offset(&reader);
    if (cw_str_trim(cw_str_sub(json, end, json.len)).len > 0)
        return cw_err_set(err, CW_E_INVALID, "more than a JSON object in a GELF message");
    return 0;
}
