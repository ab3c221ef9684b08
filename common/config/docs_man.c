/* The part of docs.h that writes man pages, with the macros of man(7). */
#include <stdio.h>
#include <string.h>

#include "common/config/docs_priv.h"

/* Text that roff leaves alone: no escape, no request at the start of a line, hyphens that can be copied. */
static void add_roff(struct cw_buf *out, struct cw_str text)
{
    bool line_start = true;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (line_start && (c == '.' || c == '\''))
            cw_buf_addz(out, "\\&");
        if (c == '\\')
            cw_buf_addz(out, "\\e");
        else if (c == '-')
            cw_buf_addz(out, "\\-");
        else if (c == '\'')
            cw_buf_addz(out, "\\(aq");
        else
            cw_buf_addc(out, c);
        line_start = c == '\n';
    }
}

static void add_roff_upper(struct cw_buf *out, const char *z)
{
    for (; *z != '\0'; z++) {
        char c = *z >= 'a' && *z <= 'z' ? (char)(*z - 32) : *z == ' ' ? '-' : *z;
        add_roff(out, cw_str_make(&c, 1));
    }
}

/* A term in bold and its text, indented. */
static void add_entry(struct cw_buf *out, struct cw_str term, struct cw_str text)
{
    cw_buf_addz(out, ".TP\n\\fB");
    add_roff(out, term);
    cw_buf_addz(out, "\\fR\n");
    add_roff(out, text);
    cw_buf_addc(out, '\n');
}

/* As docs.c reads them: an empty line ends a paragraph, a line with a space in front stands as it is. */
static void add_paragraphs(struct cw_buf *out, const char *doc)
{
    struct cw_str rest = cw_str_of(doc), line;
    bool verbatim = false;
    while (cw_str_split(&rest, '\n', &line)) {
        bool wants = line.len > 0 && line.ptr[0] == ' ';
        if (wants != verbatim)
            cw_buf_addz(out, wants ? ".nf\n" : ".fi\n");
        verbatim = wants;
        if (line.len == 0)
            cw_buf_addz(out, ".PP\n");
        else
            add_roff(out, line);
        if (line.len > 0)
            cw_buf_addc(out, '\n');
    }
    if (verbatim)
        cw_buf_addz(out, ".fi\n");
}

static void man_flag(struct cw_buf *out, const struct cw_flag_def *flag)
{
    struct cw_buf forms, text;
    cw_buf_init(&forms, 1000);
    cw_buf_init(&text, 10000);
    cw_docs_flag_forms(flag, &forms);
    cw_docs_flag_text(flag, &text);
    add_entry(out, cw_buf_str(&forms), cw_buf_str(&text));
    cw_buf_fini(&forms);
    cw_buf_fini(&text);
}

static void man_groups(struct cw_buf *out, const struct cw_command_def *command)
{
    const struct cw_flag_group *const *group = command->groups;
    for (; group != NULL && *group != NULL; group++) {
        cw_buf_addz(out, ".PP\n\\fI");
        add_roff(out, cw_str_of((*group)->title));
        cw_buf_addz(out, "\\fR\n");
        for (size_t i = 0; i < (*group)->n; i++) {
            if ((*group)->flags[i].show == CW_FLAG_SHOWN)
                man_flag(out, &(*group)->flags[i]);
        }
    }
}

static void man_commands(struct cw_buf *out, const struct cw_command_def *program)
{
    if (program->commands == NULL)
        return;
    cw_buf_addz(out, ".SH COMMANDS\n");
    for (const struct cw_command_def *const *c = program->commands; *c != NULL; c++) {
        cw_buf_addz(out, ".SS ");
        cw_docs_synopsis(*c, out);
        cw_buf_addc(out, '\n');
        if ((*c)->doc != NULL)
            add_paragraphs(out, (*c)->doc);
        man_groups(out, *c);
    }
}

/* Keys of a table with their whole path; those of nested tables follow, indented by the path. */
static void man_keys(struct cw_buf *out, struct cw_docs_told *told,
                     const struct cw_table_def *table, const char *path)
{
    for (size_t i = 0; i < table->nkeys; i++) {
        const struct cw_key_def *key = &table->keys[i];
        struct cw_value_rule rule = {key->kind, key->min, key->max, key->names};
        struct cw_buf term, text;
        cw_buf_init(&term, 1000);
        cw_buf_init(&text, 10000);
        cw_buf_addf(&term, "%s%s", path, key->name);
        if (key->flags & CW_KEY_REFUSED)
            cw_buf_addf(&text, "Not supported: %s", key->doc);
        else if (key->kind == CW_KEY_IGNORED)
            cw_buf_addf(&text, "Accepted and ignored: %s", key->doc);
        else
            cw_buf_addf(&text, "(%s) %s", cw_value_kind_text(key->kind), key->doc);
        if (key->flags & CW_KEY_REQUIRED)
            cw_buf_addz(&text, " Required.");
        cw_docs_facts(&rule, key->def, NULL, &text);
        struct cw_str where = CW_STR_NONE;
        bool nests =
            key->table != NULL && !cw_docs_told(told, key->table, cw_buf_str(&term), &where);
        if (where.len > 0)
            cw_buf_addf(&text, " The keys are those of %.*s.", CW_STR_ARG(where));
        add_entry(out, cw_buf_str(&term), cw_buf_str(&text));
        if (nests) {
            cw_buf_addz(&term, key->kind == CW_KEY_TABLES      ? "[]."
                               : key->kind == CW_KEY_TABLE_MAP ? ".NAME."
                                                               : ".");
            man_keys(out, told, key->table, cw_buf_z(&term));
        }
        cw_buf_fini(&term);
        cw_buf_fini(&text);
    }
}

/* Of the command, or of one of its subcommands. */
static void man_config(struct cw_buf *out, const struct cw_command_def *command)
{
    if (command->config == NULL)
        return;
    cw_buf_addz(out, ".SH CONFIGURATION OF ");
    add_roff_upper(out, command->name);
    cw_buf_addz(
        out,
        "\nA YAML file. A dot stands for a mapping inside of a mapping, [] for the items of a list. "
        "Unknown keys are errors.\n");
    struct cw_arena *arena = cw_arena_new();
    struct cw_docs_told told = {.arena = arena};
    man_keys(out, &told, command->config, "");
    cw_arena_free(&arena);
}

void cw_docs_man(const struct cw_command_def *command, struct cw_buf *out)
{
    cw_buf_addz(out, ".TH ");
    add_roff_upper(out, command->name);
    cw_buf_addz(out, " 1 \"\" \"cordwood " CW_VERSION "\"\n.SH NAME\n");
    add_roff(out, cw_str_of(command->name));
    cw_buf_addz(out, " \\- ");
    add_roff(out, cw_str_of(command->brief));
    cw_buf_addz(out, "\n.SH SYNOPSIS\n\\fB");
    cw_docs_synopsis(command, out);
    cw_buf_addz(out, "\\fR\n.SH DESCRIPTION\n");
    add_paragraphs(out, command->doc != NULL ? command->doc : command->brief);
    cw_buf_addz(out, ".SH OPTIONS\n");
    man_groups(out, command);
    cw_buf_addz(out, ".PP\n\\fIGeneral\\fR\n");
    add_entry(out, CW_STR("-h, --help"), CW_STR("Show the flags."));
    add_entry(out, CW_STR("--version"), CW_STR("Show the version."));
    man_commands(out, command);
    man_config(out, command);
    for (const struct cw_command_def *const *c = command->commands; c != NULL && *c != NULL; c++)
        man_config(out, *c);
    if (command->endpoints != NULL)
        cw_buf_addz(out, ".SH HTTP ENDPOINTS\n");
    for (const struct cw_endpoint_def *e = command->endpoints; e != NULL && e->name != NULL; e++)
        add_entry(out, cw_str_of(e->name), cw_str_of(e->doc));
    if (command->exits != NULL)
        cw_buf_addz(out, ".SH EXIT STATUS\n");
    for (const struct cw_exit_def *e = command->exits; e != NULL && e->doc != NULL; e++) {
        char status[16];
        int n = snprintf(status, sizeof status, "%d", e->status);
        add_entry(out, cw_str_make(status, (size_t)n), cw_str_of(e->doc));
    }
    if (command->examples != NULL)
        cw_buf_addz(out, ".SH EXAMPLES\n");
    for (const struct cw_example_def *e = command->examples; e != NULL && e->command != NULL; e++)
        add_entry(out, cw_str_of(e->command), cw_str_of(e->doc));
}
