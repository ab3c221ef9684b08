#include "shipper/tally_file.h"
#include <jansson.h>
#include "common/wire/delivery.h"

enum { LEDGER_VERSION = 1 };

/* ---- writing ---- */

static void key_nonzero(struct cw_json_writer *w, const char *name, uint64_t value)
{
    if (value > 0)
        cw_json_key_u64(w, name, value);
}

static void reasons_write(struct cw_json_writer *w, const char *name,
                          const struct cw_tally_reasons *reasons)
{
    size_t n = cw_tally_nreasons(reasons);
    if (n == 0)
        return;
    cw_json_key(w, cw_str_of(name));
    cw_json_begin_object(w);
    for (size_t i = 0; i < n; i++)
        cw_json_key_u64(w, reasons->items[i].why, reasons->items[i].n);
    cw_json_end_object(w);
}

static void gaps_write(struct cw_json_writer *w, const struct cw_tally *tally)
{
    if (tally->gap_bytes == 0)
        return;
    cw_json_key_u64(w, "gap_bytes", tally->gap_bytes);
    cw_json_key(w, CW_STR("gaps"));
    cw_json_begin_array(w);
    for (size_t i = 0; i < tally->ngaps; i++) {
        cw_json_begin_object(w);
        cw_json_key_u64(w, "generation", tally->gaps[i].generation);
        cw_json_key_u64(w, "from", tally->gaps[i].from);
        cw_json_key_u64(w, "to", tally->gaps[i].to);
        cw_json_key_string(w, "why", cw_str_of(tally->gaps[i].why));
        cw_json_end_object(w);
    }
    cw_json_end_array(w);
}

static void places_write(struct cw_json_writer *w, const struct cw_tally *tally)
{
    key_nonzero(w, "emitted_to", tally->emitted_to);
    if (tally->nplaces == 0)
        return;
    cw_json_key(w, CW_STR("places"));
    cw_json_begin_array(w);
    for (size_t i = 0; i < tally->nplaces; i++) {
        const struct cw_tally_place *place = &tally->places[i];
        cw_json_begin_object(w);
        cw_json_key_string(w, "client", cw_str_of(place->client));
        if (place->tenant[0] != '\0')
            cw_json_key_string(w, "tenant", cw_str_of(place->tenant));
        key_nonzero(w, "sent_to", place->sent_to);
        key_nonzero(w, "told_to", place->told_to);
        cw_json_end_object(w);
    }
    cw_json_end_array(w);
}

void cw_tally_members(const struct cw_tally *tally, struct cw_json_writer *w)
{
    key_nonzero(w, "generation", tally->generation);
    key_nonzero(w, "counted_to", tally->counted_to);
    key_nonzero(w, "read", tally->read);
    key_nonzero(w, "read_bytes", tally->read_bytes);
    key_nonzero(w, "joined", tally->joined);
    key_nonzero(w, "made", tally->made);
    key_nonzero(w, "redacted", tally->redacted);
    key_nonzero(w, "spooled", tally->spooled);
    reasons_write(w, "dropped", &tally->dropped);
    gaps_write(w, tally);
    key_nonzero(w, "text_size", tally->text_size);
    if (tally->text_size > 0) {
        cw_json_key(w, CW_STR("text_whole"));
        cw_json_bool(w, tally->text_whole);
    }
    if (tally->noutputs == 0)
        return;
    cw_json_key(w, CW_STR("clients"));
    cw_json_begin_object(w);
    for (size_t i = 0; i < tally->noutputs; i++) {
        const struct cw_tally_output *output = &tally->outputs[i];
        cw_json_key(w, cw_str_of(output->client));
        cw_json_begin_object(w);
        key_nonzero(w, "sent", output->sent);
        key_nonzero(w, "retried", output->retried);
        key_nonzero(w, "acknowledged", output->acknowledged);
        key_nonzero(w, "adopted", output->adopted);
        reasons_write(w, "left_out", &output->left_out);
        reasons_write(w, "refused", &output->refused);
        cw_json_end_object(w);
    }
    cw_json_end_object(w);
}

void cw_tally_file_begin(struct cw_buf *out)
{
    cw_buf_addf(out, "{\"ledger\":%d}\n", LEDGER_VERSION);
}

void cw_tally_file_add(const struct cw_id128 *source, const struct cw_tally *tally,
                       struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    char hex[33];
    cw_id128_format(source, hex);
    cw_json_begin_object(&w);
    cw_json_key_string(&w, "source", cw_str_of(hex));
    cw_tally_members(tally, &w);
    places_write(&w, tally);
    cw_json_end_object(&w);
    cw_buf_addc(out, '\n');
}

/* ---- reading ---- */

static uint64_t number(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(object, name));
    return n > 0 ? (uint64_t)n : 0;
}

static void reasons_read(json_t *object, struct cw_tally_reasons *reasons)
{
    const char *why;
    json_t *n;
    json_object_foreach(object, why, n) if (json_integer_value(n) > 0)
        cw_tally_count(reasons, cw_str_of(why), (uint64_t)json_integer_value(n));
}

static void gaps_read(const json_t *object, struct cw_tally *tally)
{
    const json_t *gaps = json_object_get(object, "gaps");
    for (size_t i = 0; i < json_array_size(gaps); i++) {
        const json_t *gap = json_array_get(gaps, i);
        const char *why = json_string_value(json_object_get(gap, "why"));
        cw_tally_gap_add(tally, number(gap, "generation"), number(gap, "from"), number(gap, "to"),
                         cw_str_of(why ? why : ""));
    }
    uint64_t listed = tally->gap_bytes, all = number(object, "gap_bytes");
    tally->gap_bytes = all > listed ? all : listed;
}

static void places_read(const json_t *object, struct cw_tally *tally)
{
    const json_t *places = json_object_get(object, "places");
    tally->emitted_to = number(object, "emitted_to");
    for (size_t i = 0; i < json_array_size(places); i++) {
        const json_t *place = json_array_get(places, i);
        const char *client = json_string_value(json_object_get(place, "client"));
        const char *tenant = json_string_value(json_object_get(place, "tenant"));
        cw_tally_place_add(tally, cw_str_of(client ? client : ""), cw_str_of(tenant ? tenant : ""),
                           number(place, "sent_to"), number(place, "told_to"));
    }
}

struct cw_tally *cw_tally_from_json(json_t *object)
{
    struct cw_tally *tally = cw_tally_new();
    tally->generation = number(object, "generation");
    tally->counted_to = number(object, "counted_to");
    tally->read = number(object, "read");
    tally->read_bytes = number(object, "read_bytes");
    tally->joined = number(object, "joined");
    tally->made = number(object, "made");
    tally->redacted = number(object, "redacted");
    tally->spooled = number(object, "spooled");
    reasons_read(json_object_get(object, "dropped"), &tally->dropped);
    gaps_read(object, tally);
    tally->text_size = number(object, "text_size");
    tally->text_whole = json_is_true(json_object_get(object, "text_whole"));
    places_read(object, tally);
    const char *name;
    json_t *client;
    json_object_foreach(json_object_get(object, "clients"), name, client)
    {
        struct cw_tally_output *output = cw_tally_output(tally, cw_str_of(name));
        output->sent = number(client, "sent");
        output->retried = number(client, "retried");
        output->acknowledged = number(client, "acknowledged");
        output->adopted = number(client, "adopted");
        reasons_read(json_object_get(client, "left_out"), &output->left_out);
        reasons_read(json_object_get(client, "refused"), &output->refused);
    }
    return tally;
}

static json_t *line_load(struct cw_str line, size_t nline, struct cw_err *err)
{
    json_error_t e;
    json_t *object = json_loadb(line.ptr ? line.ptr : "", line.len, JSON_REJECT_DUPLICATES, &e);
    if (!json_is_object(object)) {
        json_decref(object);
        cw_err_set(err, CW_E_CORRUPT, "line %zu is no JSON object", nline);
        return NULL;
    }
    return object;
}

static int header_check(struct cw_str line, struct cw_err *err)
{
    json_t *object = line_load(line, 1, err);
    if (object == NULL)
        return CW_E_CORRUPT;
    bool known = number(object, "ledger") == LEDGER_VERSION;
    json_decref(object);
    return known ? 0 : cw_err_set(err, CW_E_CORRUPT, "not a ledger of this version");
}

int cw_tally_file_decode(struct cw_str bytes, cw_tally_file_fn fn, void *arg, struct cw_err *err)
{
    struct cw_str line;
    size_t nline = 1;
    if (bytes.len > CW_TALLY_FILE_BYTES)
        return cw_err_set(err, CW_E_TOO_LARGE, "a ledger of %zu bytes", bytes.len);
    int rc = cw_str_split(&bytes, '\n', &line) ? header_check(line, err)
                                               : cw_err_set(err, CW_E_CORRUPT, "an empty ledger");
    while (rc == 0 && cw_str_split(&bytes, '\n', &line)) {
        struct cw_id128 id;
        nline++;
        if (line.len == 0)
            continue;
        json_t *object = line_load(line, nline, err);
        const char *hex = json_string_value(json_object_get(object, "source"));
        if (object == NULL)
            rc = CW_E_CORRUPT;
        else if (hex == NULL || !cw_id128_parse(cw_str_of(hex), &id))
            rc = cw_err_set(err, CW_E_CORRUPT, "line %zu names no source", nline);
        else
            fn(arg, &id, cw_tally_from_json(object));
        json_decref(object);
    }
    return rc;
}
