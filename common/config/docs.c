#include "common/config/docs_priv.h"

#include <string.h>

enum { WIDTH = 100, FLAG_COLUMN = 32 };

/* Words of `text` broken at WIDTH; the cursor stands at column `at`, further lines begin at `indent`. */
static void add_wrapped(struct cw_buf *out, struct cw_str text, size_t at, size_t indent)
{
    bool first = true;
    struct cw_str word;
    while (cw_str_split(&text, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (!first && at + 1 + word.len > WIDTH) {
            cw_buf_addf(out, "\n%*s", (int)indent, "");
            at = indent;
            first = true;
        }
        if (!first) {
            cw_buf_addc(out, ' ');
            at++;
        }
        cw_buf_adds(out, word);
        at += word.len;
        first = false;
    }
    cw_buf_addc(out, '\n');
}

/* Paragraphs are separated by empty lines; a line that begins with a space stays as it is. */
static void add_paragraphs(struct cw_buf *out, const char *doc)
{
    struct cw_str rest = cw_str_of(doc), line;
    while (cw_str_split(&rest, '\n', &line)) {
        if (line.len == 0 || line.ptr[0] == ' ') {
            cw_buf_adds(out, line);
            cw_buf_addc(out, '\n');
        } else {
            add_wrapped(out, line, 0, 0);
        }
    }
}

void cw_docs_synopsis(const struct cw_command_def *command, struct cw_buf *out)
{
    cw_buf_addf(out, "%s [FLAG]...", command->name);
    if (command->arguments != NULL)
        cw_buf_addf(out, " %s", command->arguments);
    else if (command->commands != NULL)
        cw_buf_addz(out, " COMMAND [ARGUMENT]...");
}

void cw_docs_flag_forms(const struct cw_flag_def *flag, struct cw_buf *out)
{
    if (flag->shortname != 0)
        cw_buf_addf(out, "-%c, ", flag->shortname);
    cw_buf_addf(out, "--%s", flag->name);
    if (flag->kind != CW_KEY_BOOL)
        cw_buf_addf(out, " %s", flag->arg != NULL ? flag->arg : "VALUE");
}

/* "One of a, b." and "Default: x." and the like, behind the doc's own sentences. */
void cw_docs_facts(const struct cw_value_rule *rule, const char *def, const char *env,
                   struct cw_buf *out)
{
    for (size_t i = 0; rule->kind == CW_KEY_ENUM && rule->names[i] != NULL; i++)
        cw_buf_addf(out, "%s%s", i == 0 ? " One of " : ", ", rule->names[i]);
    if (rule->kind == CW_KEY_ENUM)
        cw_buf_addc(out, '.');
    if (rule->min != NULL && rule->max != NULL)
        cw_buf_addf(out, " From %s to %s.", rule->min, rule->max);
    else if (rule->min != NULL && strcmp(rule->min, "0") != 0) /* goes without saying */
        cw_buf_addf(out, " At least %s.", rule->min);
    else if (rule->max != NULL)
        cw_buf_addf(out, " At most %s.", rule->max);
    if (def != NULL && def[0] != '\0' && !(rule->kind == CW_KEY_BOOL && strcmp(def, "false") == 0))
        cw_buf_addf(out, " Default: %s.", def);
    struct cw_str rest = cw_str_of(env), name;
    for (bool first = true; env != NULL && cw_str_split(&rest, ' ', &name); first = false)
        cw_buf_addf(out, "%s%.*s", first ? " Environment: " : ", ", CW_STR_ARG(name));
    if (env != NULL)
        cw_buf_addc(out, '.');
}

bool cw_docs_told(struct cw_docs_told *told, const struct cw_table_def *table, struct cw_str where,
                  struct cw_str *where_out)
{
    if (table->nkeys == 0)
        return false;
    for (size_t i = 0; i < told->n; i++) {
        if (told->places[i].table != table)
            continue;
        *where_out = told->places[i].where;
        return true;
    }
    told->places = cw_arena_grow(told->arena, told->places, told->n, &told->cap, told->n + 1,
                                 sizeof *told->places);
    told->places[told->n++] = (struct cw_docs_place){table, cw_arena_dup(told->arena, where)};
    return false;
}

void cw_docs_flag_text(const struct cw_flag_def *flag, struct cw_buf *out)
{
    struct cw_value_rule rule = {flag->kind, flag->min, flag->max, flag->names};
    cw_buf_addz(out, flag->doc);
    if (flag->kind == CW_KEY_STRINGS || flag->kind == CW_KEY_MAP)
        cw_buf_addz(out, " May be repeated.");
    if (flag->alias != NULL) {
        struct cw_str rest = cw_str_of(flag->alias), name;
        for (bool first = true; cw_str_split(&rest, ' ', &name); first = false)
            cw_buf_addf(out, "%s--%.*s", first ? " Also " : ", ", CW_STR_ARG(name));
        cw_buf_addc(out, '.');
    }
    cw_docs_facts(&rule, flag->def, flag->env, out);
}

static void help_entry(struct cw_buf *out, struct cw_str forms, size_t indent, size_t column,
                       struct cw_str text)
{
    cw_buf_addf(out, "%*s", (int)indent, "");
    cw_buf_adds(out, forms);
    if (indent + forms.len + 2 > column)
        cw_buf_addf(out, "\n%*s", (int)column, "");
    else
        cw_buf_addf(out, "%*s", (int)(column - indent - forms.len), "");
    add_wrapped(out, text, column, column);
}

static void help_flag(struct cw_buf *out, const struct cw_flag_def *flag)
{
    struct cw_buf forms, text;
    cw_buf_init(&forms, 1000);
    cw_buf_init(&text, 10000);
    cw_docs_flag_forms(flag, &forms);
    cw_docs_flag_text(flag, &text);
    help_entry(out, cw_buf_str(&forms), flag->shortname != 0 ? 2 : 6, FLAG_COLUMN,
               cw_buf_str(&text));
    cw_buf_fini(&forms);
    cw_buf_fini(&text);
}

void cw_docs_help(const struct cw_command_def *command, struct cw_buf *out)
{
    cw_buf_addz(out, "Usage: ");
    cw_docs_synopsis(command, out);
    cw_buf_addz(out, "\n\n");
    if (command->doc != NULL)
        add_paragraphs(out, command->doc);
    if (command->commands != NULL)
        cw_buf_addz(out, "\nCommands:\n");
    for (const struct cw_command_def *const *c = command->commands; c != NULL && *c != NULL; c++) {
        const char *last = strrchr((*c)->name, ' ');
        help_entry(out, cw_str_of(last != NULL ? last + 1 : (*c)->name), 2, 20,
                   cw_str_of((*c)->brief));
    }
    const struct cw_flag_group *const *group = command->groups;
    for (; group != NULL && *group != NULL; group++) {
        cw_buf_addf(out, "\n%s:\n", (*group)->title);
        for (size_t i = 0; i < (*group)->n; i++) {
            if ((*group)->flags[i].show == CW_FLAG_SHOWN)
                help_flag(out, &(*group)->flags[i]);
        }
    }
    cw_buf_addz(out, "\nGeneral:\n");
    help_entry(out, CW_STR("-h, --help"), 2, FLAG_COLUMN, CW_STR("Show this text."));
    help_entry(out, CW_STR("--version"), 6, FLAG_COLUMN, CW_STR("Show the version."));
    if (command->examples != NULL)
        cw_buf_addz(out, "\nExamples:\n");
    for (const struct cw_example_def *e = command->examples; e != NULL && e->command != NULL; e++)
        cw_buf_addf(out, "  # %s\n  %s\n", e->doc, e->command);
    if (command->exits != NULL)
        cw_buf_addz(out, "\nExit status:\n");
    for (const struct cw_exit_def *e = command->exits; e != NULL && e->doc != NULL; e++)
        cw_buf_addf(out, "  %d  %s\n", e->status, e->doc);
}
