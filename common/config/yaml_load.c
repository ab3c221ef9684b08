#include "common/config/yaml_load.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/config/yaml_bind_priv.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* of UTF-8, as some editors write it */

static void on_expand_problem(void *arg, size_t from, const char *text)
{
    struct cw_yaml_bind *bind = arg;
    struct cw_config_problems *problems = bind->problems;
    /* A place is found from the text's beginning: only for what will be told. */
    if (problems->nerrors == CW_CONFIG_PROBLEMS_MAX) {
        problems->nmore++;
        return;
    }
    size_t line, column;
    cw_yaml_expand_place(bind->source->original, from, &line, &column);
    cw_yaml_bind_report(bind, problems->errors, &problems->nerrors, line, column, text);
}

/* libyaml's own error, at the place it names. */
static void report_parser(struct cw_yaml_bind *bind, const yaml_parser_t *parser)
{
    size_t line = parser->problem_mark.line, column = parser->problem_mark.column;
    const char *problem = parser->problem != NULL ? parser->problem : "cannot be read";
    if (parser->error == YAML_READER_ERROR) {
        struct cw_str before = cw_str_sub(bind->source->text, 0, parser->problem_offset);
        cw_yaml_expand_place(before, SIZE_MAX, &line, &column);
    } else if (bind->source->npieces > 0) {
        cw_yaml_expand_locate(bind->source, parser->problem_mark.index, &line, &column);
    }
    const char *context = parser->context != NULL ? parser->context : "";
    struct cw_str text =
        cw_arena_printf(bind->arena, "%s%s%s", context, *context ? ": " : "", problem);
    cw_yaml_bind_report(bind, bind->problems->errors, &bind->problems->nerrors, line, column,
                        text.ptr);
}

/* ---- what libyaml takes long for ---- */

static void refuse_at(struct cw_yaml_bind *bind, yaml_mark_t mark, const char *fmt, int bound)
{
    size_t line = mark.line, column = mark.column;
    if (bind->source->npieces > 0)
        cw_yaml_expand_locate(bind->source, mark.index, &line, &column);
    struct cw_str text = cw_arena_printf(bind->arena, fmt, bound);
    cw_yaml_bind_report(bind, bind->problems->errors, &bind->problems->nerrors, line, column,
                        text.ptr);
}

/* A definition of an anchor, not its use. */
static bool defines_anchor(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT: return event->data.scalar.anchor != NULL;
    case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.anchor != NULL;
    case YAML_MAPPING_START_EVENT: return event->data.mapping_start.anchor != NULL;
    default: return false;
    }
}

static void set_input(yaml_parser_t *parser, struct cw_str text)
{
    CW_ASSERT(yaml_parser_initialize(parser));
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)(text.ptr ? text.ptr : ""),
                                 text.len);
}

/*
 * Event by event, before anything is composed: the scanner looks at every open bracket for each token, and the
 * composer at every anchor before one, so that a file of some 100 KiB would take minutes. False when a bound is
 * passed, and told. What is no YAML is left to the composer to tell.
 */
static bool within_bounds(struct cw_yaml_bind *bind)
{
    yaml_parser_t parser;
    yaml_event_t event;
    int depth = 0, nanchors = 0;
    bool within = true, more = true;
    set_input(&parser, bind->source->text);
    while (within && more && yaml_parser_parse(&parser, &event)) {
        more = event.type != YAML_STREAM_END_EVENT;
        depth += event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT;
        depth -= event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        nanchors += defines_anchor(&event);
        within = depth <= CW_YAML_DEPTH_MAX && nanchors <= CW_YAML_ANCHORS_MAX;
        if (depth > CW_YAML_DEPTH_MAX)
            refuse_at(bind, event.start_mark, "nested deeper than %d levels", CW_YAML_DEPTH_MAX);
        else if (!within)
            refuse_at(bind, event.start_mark, "more than %d anchors", CW_YAML_ANCHORS_MAX);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return within;
}

/* ---- the document ---- */

/* A second document in the file would be ignored: say so instead. */
static void refuse_second(struct cw_yaml_bind *bind, yaml_parser_t *parser)
{
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second)) {
        report_parser(bind, parser);
        return;
    }
    yaml_node_t *root = yaml_document_get_root_node(&second);
    if (root != NULL)
        cw_yaml_bind_report(bind, bind->problems->errors, &bind->problems->nerrors,
                            root->start_mark.line, root->start_mark.column,
                            "a second document begins here; one file holds one");
    yaml_document_delete(&second);
}

typedef void (*bind_fn)(struct cw_yaml_bind *bind, const struct cw_table_def *table, void *out);

static void parse_and_bind(struct cw_yaml_bind *bind, bind_fn bind_document,
                           const struct cw_table_def *table, void *out)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (!within_bounds(bind))
        return;
    set_input(&parser, bind->source->text);
    if (!yaml_parser_load(&parser, &document)) {
        report_parser(bind, &parser);
    } else {
        bind->document = &document;
        bind_document(bind, table, out);
        if (yaml_document_get_root_node(&document) != NULL)
            refuse_second(bind, &parser);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
}

static int problems_to_err(const struct cw_config_problems *problems, struct cw_err *err)
{
    if (problems->nerrors == 0)
        return 0;
    size_t more = problems->nerrors - 1 + problems->nmore;
    if (more == 0)
        return cw_err_set(err, CW_E_INVALID, "%s", problems->errors[0].ptr);
    return cw_err_set(err, CW_E_INVALID, "%s (and %zu more)", problems->errors[0].ptr, more);
}

static int text_load(struct cw_str text, const char *name, bind_fn bind_document,
                     const struct cw_table_def *table, const struct cw_yaml_options *options,
                     struct cw_arena *arena, void *out, struct cw_config_problems *problems,
                     struct cw_err *err)
{
    struct cw_yaml_source source;
    if (problems == NULL)
        problems = CW_ARENA_NEW(arena, struct cw_config_problems);
    *problems = (struct cw_config_problems){.nerrors = 0};
    size_t max_bytes =
        options != NULL && options->max_bytes > 0 ? options->max_bytes : CW_LIMIT_CONFIG_BYTES;
    if (text.len > max_bytes)
        return cw_err_set(err, CW_E_TOO_LARGE, "%s: larger than %zu bytes", name, max_bytes);
    if (cw_str_starts(text, CW_STR(BYTE_ORDER_MARK))) /* it would be a column of the first line */
        text = cw_str_sub(text, sizeof BYTE_ORDER_MARK - 1, text.len);
    struct cw_yaml_bind bind = {
        .name = name, .source = &source, .arena = arena, .problems = problems};
    int rc = cw_yaml_expand(text, options, arena, &source, on_expand_problem, &bind, err);
    if (rc == CW_E_INVALID)
        return problems_to_err(problems, err);
    if (rc < 0) {
        cw_err_wrap(err, "%s", name);
        return rc;
    }
    bind.start_bytes = cw_arena_bytes(arena);
    parse_and_bind(&bind, bind_document, table, out);
    return problems_to_err(problems, err);
}

int cw_yaml_load_text(struct cw_str text, const char *name, const struct cw_table_def *table,
                      const struct cw_yaml_options *options, struct cw_arena *arena, void *out,
                      struct cw_config_problems *problems, struct cw_err *err)
{
    cw_schema_defaults(table, arena, out);
    return text_load(text, name, cw_yaml_bind_root, table, options, arena, out, problems, err);
}

int cw_yaml_load_list(struct cw_str text, const char *name, const struct cw_table_def *table,
                      struct cw_arena *arena, struct cw_config_tables *out, struct cw_err *err)
{
    *out = (struct cw_config_tables){NULL, 0};
    return text_load(text, name, cw_yaml_bind_root_list, table, NULL, arena, out, NULL, err);
}

int cw_yaml_load_file(const char *path, const struct cw_table_def *table,
                      const struct cw_yaml_options *options, struct cw_arena *arena, void *out,
                      struct cw_config_problems *problems, struct cw_err *err)
{
    struct cw_buf text;
    cw_schema_defaults(table, arena, out);
    if (problems != NULL)
        *problems = (struct cw_config_problems){.nerrors = 0};
    cw_buf_init(&text, CW_LIMIT_CONFIG_BYTES);
    int rc = cw_file_read(path, CW_LIMIT_CONFIG_BYTES, &text, err);
    if (rc == 0)
        rc = cw_yaml_load_text(cw_buf_str(&text), path, table, options, arena, out, problems, err);
    cw_buf_fini(&text);
    return rc;
}
