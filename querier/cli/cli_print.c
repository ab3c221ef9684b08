/* cli_print.c - entries and JSON on standard output (cli_entries.h). */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/wire/json_reader.h"
#include "common/wire/json_writer.h"
#include "querier/cli/cli_entries.h"
#include "querier/cli/cli_time.h"
#include "querier/cli/terminal_text.h"

/* Colours that can be read on dark and light terminals; a stream keeps its own. */
static const char *const stream_colours[] = {"\033[32m", "\033[33m", "\033[35m", "\033[36m",
                                             "\033[92m", "\033[93m", "\033[95m", "\033[96m"};
#define TIME_COLOUR "\033[34m"
#define COLOUR_END "\033[0m"

void cw_cli_printer_init(struct cw_cli_printer *printer, const struct cw_cli_args *args)
{
    const char *no_color = getenv("NO_COLOR"); /* https://no-color.org */
    bool terminal = isatty(STDOUT_FILENO) && !(no_color && *no_color);
    *printer = (struct cw_cli_printer){
        .args = args,
        .colour =
            args->colour == CW_CLI_WHEN_ALWAYS || (args->colour == CW_CLI_WHEN_AUTO && terminal),
        .escape = cw_terminal_text_wanted((enum cw_cli_when)args->escape),
    };
    cw_buf_init(&printer->line, SIZE_MAX);
}

void cw_cli_printer_fini(struct cw_cli_printer *printer)
{
    cw_buf_fini(&printer->line);
}

void cw_cli_printer_common(struct cw_cli_printer *printer, const struct cw_cli_entry *entries,
                           size_t n, struct cw_arena *arena)
{
    if (n == 0 || printer->have_common)
        return;
    printer->have_common = true;
    struct cw_labels first = entries[0].labels;
    struct cw_label *common = CW_ARENA_ARRAY(arena, struct cw_label, first.n + 1);
    size_t ncommon = 0;
    for (size_t i = 0; i < first.n; i++) {
        bool shared = true;
        for (size_t k = 1; k < n && shared; k++)
            shared = cw_str_eq(cw_labels_get(entries[k].labels, first.items[i].name),
                               first.items[i].value);
        if (shared)
            common[ncommon++] = first.items[i];
    }
    /* They must outlive the answer. */
    printer->common = cw_labels_dup(arena, (struct cw_labels){common, ncommon});
    if (ncommon == 0 || printer->args->quiet || printer->args->no_labels)
        return;
    cw_buf_clear(&printer->line);
    cw_labels_format(printer->common, &printer->line);
    fprintf(stderr, "Common labels: %s\n", cw_buf_z(&printer->line));
}

static void add_labels(struct cw_cli_printer *printer, struct cw_labels labels)
{
    const struct cw_cli_args *args = printer->args;
    struct cw_label *shown = cw_mem_array(labels.n + 1, sizeof *shown);
    size_t n = 0;
    for (size_t i = 0; i < labels.n; i++) {
        struct cw_label pair = labels.items[i];
        const struct cw_config_strings *include = &args->include_labels,
                                       *exclude = &args->exclude_labels;
        if (include->n > 0 ? !cw_str_among(pair.name, include->items, include->n)
                           : cw_str_eq(cw_labels_get(printer->common, pair.name), pair.value))
            continue;
        if (!cw_str_among(pair.name, exclude->items, exclude->n))
            shown[n++] = pair;
    }
    struct cw_buf *out = &printer->line;
    if (printer->colour)
        cw_buf_addz(out, stream_colours[cw_labels_hash(labels).lo %
                                        (sizeof stream_colours / sizeof *stream_colours)]);
    size_t from = out->len;
    cw_labels_format((struct cw_labels){shown, n}, out);
    free(shown);
    while (out->len - from < (size_t)args->labels_length)
        cw_buf_addc(out, ' ');
    if (printer->colour)
        cw_buf_addz(out, COLOUR_END);
}

static void add_jsonl(struct cw_cli_printer *printer, const struct cw_cli_entry *entry)
{
    struct cw_json_writer w = cw_json_writer_make(&printer->line);
    cw_json_begin_object(&w);
    cw_json_key(&w, CW_STR("labels"));
    cw_json_begin_object(&w);
    for (size_t i = 0; i < entry->labels.n; i++) {
        cw_json_key(&w, entry->labels.items[i].name);
        cw_json_string(&w, entry->labels.items[i].value);
    }
    cw_json_end_object(&w);
    cw_json_key_string(&w, "line", entry->line);
    struct cw_buf time;
    cw_buf_init(&time, 64);
    cw_cli_time_format(entry->ts_ns, (enum cw_cli_zone)printer->args->zone, &time);
    cw_json_key_string(&w, "timestamp", cw_buf_str(&time));
    cw_buf_fini(&time);
    cw_json_end_object(&w);
}

static void add_line(struct cw_cli_printer *printer, struct cw_str line)
{
    if (printer->escape)
        cw_terminal_text_add(line, &printer->line);
    else
        cw_buf_adds(&printer->line, line);
}

void cw_cli_printer_entry(struct cw_cli_printer *printer, const struct cw_cli_entry *entry)
{
    struct cw_buf *out = &printer->line;
    cw_buf_clear(out);
    switch ((enum cw_cli_output)printer->args->output) {
    case CW_CLI_OUTPUT_JSONL: add_jsonl(printer, entry); break;
    case CW_CLI_OUTPUT_DEFAULT:
        cw_buf_addz(out, printer->colour ? TIME_COLOUR : "");
        cw_cli_time_format(entry->ts_ns, (enum cw_cli_zone)printer->args->zone, out);
        cw_buf_addz(out, printer->colour ? COLOUR_END " " : " ");
        if (!printer->args->no_labels) {
            add_labels(printer, entry->labels);
            cw_buf_addc(out, ' ');
        }
        add_line(printer, entry->line);
        break;
    case CW_CLI_OUTPUT_RAW: add_line(printer, entry->line); break;
    }
    cw_buf_addc(out, '\n');
    fwrite(out->ptr, 1, out->len, stdout);
}

static void newline(struct cw_buf *out, unsigned depth)
{
    cw_buf_addc(out, '\n');
    for (unsigned i = 0; i < depth; i++)
        cw_buf_addz(out, "  ");
}

static void add_scalar(struct cw_buf *out, int event, struct cw_str text)
{
    if (event == CW_JSON_STRING)
        cw_json_quote(text, out);
    else if (event == CW_JSON_NUMBER)
        cw_buf_adds(out, text);
    else
        cw_buf_addz(out, event == CW_JSON_TRUE    ? "true"
                         : event == CW_JSON_FALSE ? "false"
                                                  : "null");
}

/* True when the whole text was JSON. */
static bool indent(struct cw_str json, struct cw_buf *out, struct cw_arena *arena)
{
    struct cw_json_reader reader;
    cw_json_reader_init(&reader, json, arena);
    unsigned depth = 0;
    bool after_key = false, first = true; /* first: nothing stands in this array or object yet */
    int event;
    while ((event = cw_json_next(&reader, NULL)) > 0) {
        bool end = event == CW_JSON_OBJECT_END || event == CW_JSON_ARRAY_END;
        if (end && --depth < CW_JSON_DEPTH && !first)
            newline(out, depth);
        if (!end && !after_key && depth > 0) {
            if (!first)
                cw_buf_addc(out, ',');
            newline(out, depth);
        }
        after_key = false;
        if (event == CW_JSON_OBJECT || event == CW_JSON_ARRAY) {
            cw_buf_addc(out, event == CW_JSON_OBJECT ? '{' : '[');
            depth++;
        } else if (end) {
            cw_buf_addc(out, event == CW_JSON_OBJECT_END ? '}' : ']');
        } else if (event == CW_JSON_KEY) {
            cw_json_quote(reader.text, out);
            cw_buf_addz(out, ": ");
            after_key = true;
        } else {
            add_scalar(out, event, reader.text);
        }
        first = event == CW_JSON_OBJECT || event == CW_JSON_ARRAY;
    }
    return event == CW_JSON_DONE;
}

void cw_cli_print_json(struct cw_str json, FILE *file)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    struct cw_str text = indent(json, &out, arena) ? cw_buf_str(&out) : json;
    fwrite(text.ptr, 1, text.len, file);
    fputc('\n', file);
    cw_buf_fini(&out);
    cw_arena_free(&arena);
}

void cw_cli_print_count(uint64_t n, const char *one, const char *many)
{
    printf("%" PRIu64 " %s", n, n == 1 ? one : many);
}
