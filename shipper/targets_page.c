#include "shipper/targets_page.h"
#include <inttypes.h>
#include "common/wire/delivery.h"

/* ---- contents ---- */

static const char *const format_names[] = {[CW_SOURCE_LINES] = "lines",
                                           [CW_SOURCE_DOCKER] = "docker",
                                           [CW_SOURCE_DOCKER_LOCAL] = "docker local",
                                           [CW_SOURCE_SPOOL] = "spool"};

/* Whose spool it is, as log lines name it; empty: it is no spool. */
static struct cw_str receiver_of(const struct cw_source *source)
{
    struct cw_str folder = cw_str_of(source->path), name = CW_STR_NONE;
    for (int i = 0; i < 2; i++) { /* the segment, then its folder */
        const char *slash = memrchr(folder.ptr, '/', folder.len);
        size_t at = slash == NULL ? 0 : (size_t)(slash - folder.ptr);
        name = cw_str_sub(folder, slash == NULL ? 0 : at + 1, folder.len);
        folder = cw_str_sub(folder, 0, at);
    }
    return source->format == CW_SOURCE_SPOOL ? name : CW_STR_NONE;
}

static uint64_t lag_of(const struct cw_source *source)
{
    uint64_t position = cw_source_position(source);
    return source->tail.fd >= 0 && source->tail.size > position ? source->tail.size - position : 0;
}

static void source_json(const struct cw_source *source, struct cw_json_writer *w)
{
    char hex[33];
    struct cw_buf labels;
    cw_buf_init(&labels, SIZE_MAX);
    cw_labels_format(source->labels[0], &labels);
    cw_id128_format(&source->id, hex);
    cw_json_begin_object(w);
    cw_json_key_string(w, "source", cw_str_of(hex));
    cw_json_key_string(w, "path", cw_str_of(source->path));
    cw_json_key_string(w, "path_now", cw_str_of(source->path_now));
    cw_json_key_string(w, "format", cw_str_of(format_names[source->format]));
    if (source->format == CW_SOURCE_SPOOL)
        cw_json_key_string(w, "receiver", receiver_of(source)); /* each entry has its labels */
    else
        cw_json_key_string(w, "labels", cw_buf_str(&labels));
    cw_json_key(w, CW_STR("open"));
    cw_json_bool(w, source->tail.fd >= 0);
    cw_json_key_u64(w, "size", source->tail.size);
    if (source->tail.unpack != NULL) { /* sizes and offsets are those of its text */
        cw_json_key(w, CW_STR("unpacking"));
        cw_json_bool(w, cw_tail_unpacking(&source->tail));
    }
    cw_json_key_u64(w, "position", cw_source_position(source));
    cw_json_key_u64(w, "durable", source->durable_offset);
    cw_json_key_u64(w, "lag", lag_of(source));
    cw_json_key(w, CW_STR("ledger"));
    cw_json_begin_object(w);
    if (source->tally != NULL)
        cw_tally_members(source->tally, w);
    cw_json_end_object(w);
    cw_json_end_object(w);
    cw_buf_fini(&labels);
}

void cw_targets_page_json(const struct cw_sources *sources, struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    cw_json_begin_object(&w);
    cw_json_key(&w, CW_STR("sources"));
    cw_json_begin_array(&w);
    for (size_t i = 0; i < sources->n; i++)
        source_json(sources->items[i], &w);
    cw_json_end_array(&w);
    cw_json_key(&w, CW_STR("forgotten"));
    cw_json_begin_object(&w);
    if (sources->forgotten != NULL)
        cw_tally_members(sources->forgotten, &w);
    cw_json_end_object(&w);
    cw_json_end_object(&w);
    cw_buf_addc(out, '\n');
}

static void html_add(struct cw_buf *out, struct cw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '<')
            cw_buf_addz(out, "&lt;");
        else if (c == '&')
            cw_buf_addz(out, "&amp;");
        else if (c == '"')
            cw_buf_addz(out, "&quot;");
        else
            cw_buf_addc(out, c);
    }
}

static void reasons_html(const char *what, const struct cw_tally_reasons *reasons,
                         struct cw_buf *out)
{
    size_t n = cw_tally_nreasons(reasons);
    for (size_t i = 0; i < n; i++) {
        cw_buf_addf(out, "%s %" PRIu64 " (", what, reasons->items[i].n);
        html_add(out, cw_str_of(reasons->items[i].why));
        cw_buf_addz(out, ")<br>");
    }
}

static void tally_html(const struct cw_tally *tally, struct cw_buf *out)
{
    cw_buf_addf(out, "<td>%" PRIu64 "<td>", tally->read);
    if (tally->joined > 0)
        cw_buf_addf(out, "joined %" PRIu64 "<br>", tally->joined);
    if (tally->made > 0)
        cw_buf_addf(out, "made %" PRIu64 " more<br>", tally->made);
    reasons_html("dropped", &tally->dropped, out);
    if (tally->redacted > 0)
        cw_buf_addf(out, "redacted %" PRIu64 "<br>", tally->redacted);
    for (size_t i = 0; i < tally->ngaps; i++) {
        cw_buf_addf(out, "gap %" PRIu64 "-%" PRIu64 " (", tally->gaps[i].from, tally->gaps[i].to);
        html_add(out, cw_str_of(tally->gaps[i].why));
        cw_buf_addz(out, ")<br>");
    }
    cw_buf_addz(out, "<td>");
    for (size_t i = 0; i < tally->noutputs; i++) {
        const struct cw_tally_output *output = &tally->outputs[i];
        html_add(out, cw_str_of(output->client));
        cw_buf_addf(out, ": sent %" PRIu64, output->sent);
        if (output->retried > 0)
            cw_buf_addf(out, " (%" PRIu64 " tries more)", output->retried);
        cw_buf_addf(out, ", acknowledged %" PRIu64 "<br>", output->acknowledged);
        reasons_html("left out", &output->left_out, out);
        reasons_html("refused", &output->refused, out);
    }
}

static void source_html(const struct cw_source *source, struct cw_buf *out)
{
    struct cw_buf labels;
    cw_buf_init(&labels, SIZE_MAX);
    cw_labels_format(source->labels[0], &labels);
    cw_buf_addz(out, "<tr><td>");
    html_add(out, cw_str_of(source->path_now));
    cw_buf_addz(out, "<td>");
    if (source->format == CW_SOURCE_SPOOL) {
        cw_buf_addz(out, "received by ");
        html_add(out, receiver_of(source));
    } else {
        html_add(out, cw_buf_str(&labels));
    }
    cw_buf_addf(out, "<td>%" PRIu64 "<td>%" PRIu64 "<td>%" PRIu64, source->tail.size,
                cw_source_position(source), lag_of(source));
    if (source->tally != NULL)
        tally_html(source->tally, out);
    cw_buf_addc(out, '\n');
    cw_buf_fini(&labels);
}

void cw_targets_page_html(const struct cw_sources *sources, struct cw_buf *out)
{
    cw_buf_addz(out, "<!DOCTYPE html><meta charset=utf-8><title>cordwood-shipper: targets</title>\n"
                     "<style>body{font:14px sans-serif}table{border-collapse:collapse}"
                     "td,th{border:1px solid #aaa;padding:2px 6px;text-align:left;"
                     "vertical-align:top}</style>\n");
    cw_buf_addf(out,
                "<h1>%zu sources, %" PRIu64 " bytes behind</h1>\n<table><tr><th>file<th>labels"
                "<th>size<th>settled<th>behind<th>lines read<th>on the way<th>clients\n",
                sources->n, cw_sources_lag(sources));
    for (size_t i = 0; i < sources->n; i++)
        source_html(sources->items[i], out);
    if (sources->forgotten != NULL) {
        cw_buf_addz(out, "<tr><td>(files that are gone)<td><td><td><td>");
        tally_html(sources->forgotten, out);
        cw_buf_addc(out, '\n');
    }
    cw_buf_addz(out, "</table>\n");
}

/* ---- the page ---- */

void cw_targets_page_answer(void *arg, struct cw_http_request *request)
{
    const struct cw_sources *sources = arg;
    bool json = cw_str_find(cw_http_header(request, "Accept"), CW_STR("json")) >= 0;
    struct cw_buf body;
    cw_buf_init(&body, SIZE_MAX);
    if (json)
        cw_targets_page_json(sources, &body);
    else
        cw_targets_page_html(sources, &body);
    cw_http_respond(request, 200, json ? "application/json" : "text/html; charset=utf-8", &body);
}
