#include "common/config/flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/config/completion.h"
#include "common/config/docs.h"
#include "common/config/value.h"

struct parser {
    const struct cw_command_def *command;
    int argc;
    char *const *argv;
    int at; /* next of argv */
    struct cw_arena *arena;
    char *out;
    struct cw_flags_rest *rest;
    size_t rest_cap;
    struct {
        const struct cw_flag_def *flag;
        size_t cap; /* of its list */
    } given[128];
    size_t ngiven;
};

/* A flag as it was found: which, how it was written, and what was stuck to it. */
struct found {
    const struct cw_flag_def *flag;
    struct cw_str shown;    /* "--x", "-x" */
    struct cw_str attached; /* behind '=' or a short name; ptr NULL: none */
    bool negated;           /* --no-x */
};

static struct cw_value_rule rule_of(const struct cw_flag_def *flag)
{
    return (struct cw_value_rule){flag->kind, flag->min, flag->max, flag->names};
}

/* Row `n` of all groups, or NULL behind the last one. */
static const struct cw_flag_def *flag_at(const struct cw_command_def *command, size_t n)
{
    const struct cw_flag_group *const *group = command->groups;
    for (; group != NULL && *group != NULL; group++) {
        if (n < (*group)->n)
            return &(*group)->flags[n];
        n -= (*group)->n;
    }
    return NULL;
}

static bool word_in(const char *words, struct cw_str name)
{
    struct cw_str rest = cw_str_of(words), word;
    while (words != NULL && cw_str_split(&rest, ' ', &word)) {
        if (cw_str_eq(word, name))
            return true;
    }
    return false;
}

static const struct cw_flag_def *find_long(const struct cw_command_def *command, struct cw_str name)
{
    const struct cw_flag_def *flag;
    for (size_t i = 0; (flag = flag_at(command, i)) != NULL; i++) {
        if (cw_str_eqz(name, flag->name) || word_in(flag->alias, name))
            return flag;
    }
    return NULL;
}

static const struct cw_flag_def *find_short(const struct cw_command_def *command, char name)
{
    const struct cw_flag_def *flag;
    for (size_t i = 0; (flag = flag_at(command, i)) != NULL; i++) {
        if (flag->shortname != 0 && flag->shortname == name)
            return flag;
    }
    return NULL;
}

static int unknown_flag(const struct cw_command_def *command, struct cw_str shown,
                        struct cw_str name, struct cw_err *err)
{
    const struct cw_flag_def *flag;
    const char *near = NULL;
    unsigned limit = name.len >= 5 ? 2 : 1, best = limit + 1;
    for (size_t i = 0; (flag = flag_at(command, i)) != NULL; i++) {
        unsigned distance = cw_str_distance(name, cw_str_of(flag->name), limit);
        if (distance < best && flag->show == CW_FLAG_SHOWN) {
            best = distance;
            near = flag->name;
        }
    }
    if (near != NULL)
        return cw_err_set(err, CW_E_INVALID, "unknown flag %.*s; did you mean --%s?",
                          CW_STR_ARG(shown), near);
    return cw_err_set(err, CW_E_INVALID, "unknown flag %.*s; --help lists them", CW_STR_ARG(shown));
}

/* ---- values ---- */

/* The slot of a flag that was given; made at its first time, when a list's default gives way. */
static size_t *given_slot(struct parser *p, const struct cw_flag_def *flag)
{
    for (size_t i = 0; i < p->ngiven; i++) {
        if (p->given[i].flag == flag)
            return &p->given[i].cap;
    }
    CW_ASSERT(p->ngiven < CW_COUNT(p->given));
    if (flag->kind == CW_KEY_STRINGS)
        *(struct cw_config_strings *)(p->out + flag->offset) = (struct cw_config_strings){NULL, 0};
    if (flag->kind == CW_KEY_MAP)
        *(struct cw_config_map *)(p->out + flag->offset) = (struct cw_config_map){NULL, 0};
    p->given[p->ngiven].flag = flag;
    p->given[p->ngiven].cap = 0;
    return &p->given[p->ngiven++].cap;
}

static void append_string(struct parser *p, const struct cw_flag_def *flag, struct cw_str text)
{
    size_t *cap = given_slot(p, flag);
    struct cw_config_strings *list = (struct cw_config_strings *)(p->out + flag->offset);
    list->items =
        cw_arena_grow(p->arena, list->items, list->n, cap, list->n + 1, sizeof *list->items);
    list->items[list->n++] = cw_arena_dup(p->arena, text);
}

static int append_pair(struct parser *p, const struct cw_flag_def *flag, struct cw_str text,
                       struct cw_err *err)
{
    ptrdiff_t equals = cw_str_find_byte(text, '=');
    if (equals <= 0)
        return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is not NAME=VALUE", CW_STR_ARG(text));
    size_t *cap = given_slot(p, flag);
    struct cw_config_map *map = (struct cw_config_map *)(p->out + flag->offset);
    struct cw_str name = cw_str_sub(text, 0, (size_t)equals);
    struct cw_config_pair *pair = NULL;
    for (size_t i = 0; i < map->n && pair == NULL; i++) {
        if (cw_str_eq(map->items[i].name, name))
            pair = &map->items[i]; /* the last one wins */
    }
    if (pair == NULL) {
        map->items =
            cw_arena_grow(p->arena, map->items, map->n, cap, map->n + 1, sizeof *map->items);
        pair = &map->items[map->n++];
        pair->name = cw_arena_dup(p->arena, name);
    }
    pair->value = cw_arena_dup(p->arena, cw_str_sub(text, (size_t)equals + 1, text.len));
    return 0;
}

static int set_value(struct parser *p, const struct cw_flag_def *flag, struct cw_str text,
                     struct cw_err *err)
{
    struct cw_value_rule rule = rule_of(flag);
    given_slot(p, flag);
    if (flag->kind == CW_KEY_STRINGS) {
        append_string(p, flag, text);
        return 0;
    }
    if (flag->kind == CW_KEY_MAP)
        return append_pair(p, flag, text, err);
    return cw_value_parse(&rule, text, p->arena, p->out + flag->offset, err);
}

static int apply(struct parser *p, const struct found *f, struct cw_err *err)
{
    const struct cw_flag_def *flag = f->flag;
    struct cw_str text = f->attached;
    if (f->negated) {
        if (text.ptr != NULL)
            return cw_err_set(err, CW_E_INVALID, "%.*s takes no value", CW_STR_ARG(f->shown));
        text = CW_STR("false");
    } else if (text.ptr == NULL && flag->kind == CW_KEY_BOOL) {
        text = CW_STR("true");
    } else if (text.ptr == NULL) {
        if (p->at >= p->argc)
            return cw_err_set(err, CW_E_INVALID, "%.*s wants %s behind it", CW_STR_ARG(f->shown),
                              flag->arg != NULL ? flag->arg : "a value");
        text = cw_str_of(p->argv[p->at++]);
    }
    int rc = set_value(p, flag, text, err);
    if (rc < 0)
        return cw_err_wrap(err, "%.*s", CW_STR_ARG(f->shown));
    if (flag->seen != 0)
        *(bool *)(p->out + flag->seen - 1) = true;
    return 0;
}

/* ---- forms ---- */

static bool action_of(const struct cw_command_def *command, struct cw_str name,
                      enum cw_flags_action *out)
{
    if (cw_str_eqz(name, "help"))
        *out = CW_FLAGS_HELP;
    else if (cw_str_eqz(name, "version"))
        *out = CW_FLAGS_VERSION;
    else if (cw_str_eqz(name, "man"))
        *out = CW_FLAGS_MAN;
    else if (cw_str_eqz(name, "reference-config") && command->config != NULL)
        *out = CW_FLAGS_REFERENCE_CONFIG;
    else
        return false;
    return true;
}

/* --completion SHELL, of a whole program. */
static bool is_completion(const struct cw_command_def *command, struct cw_str name)
{
    return cw_str_eqz(name, "completion") && strchr(command->name, ' ') == NULL;
}

static int set_completion(struct parser *p, struct cw_str shell, struct cw_err *err)
{
    if (shell.ptr == NULL && p->at < p->argc)
        shell = cw_str_of(p->argv[p->at++]);
    if (cw_str_eqz(shell, "bash"))
        p->rest->action = CW_FLAGS_BASH;
    else if (cw_str_eqz(shell, "fish"))
        p->rest->action = CW_FLAGS_FISH;
    else if (cw_str_eqz(shell, "zsh"))
        p->rest->action = CW_FLAGS_ZSH;
    else
        return cw_err_set(err, CW_E_INVALID, "--completion wants bash, fish or zsh behind it");
    return 0;
}

/* `body` is what follows the dash or dashes of `word`. True when it names a flag or an action. */
static bool match_long(struct parser *p, struct cw_str word, struct cw_str body, struct found *f)
{
    ptrdiff_t equals = cw_str_find_byte(body, '=');
    struct cw_str name = equals >= 0 ? cw_str_sub(body, 0, (size_t)equals) : body;
    *f = (struct found){.shown = cw_str_sub(word, 0, word.len - body.len + name.len)};
    if (equals >= 0)
        f->attached = cw_str_sub(body, (size_t)equals + 1, body.len);
    f->flag = find_long(p->command, name);
    if (f->flag == NULL && cw_str_starts(name, CW_STR("no-"))) {
        f->flag = find_long(p->command, cw_str_sub(name, 3, name.len));
        f->negated = true;
        if (f->flag != NULL && f->flag->kind != CW_KEY_BOOL)
            f->flag = NULL;
    }
    return f->flag != NULL || (equals < 0 && action_of(p->command, name, &p->rest->action));
}

/* "-abc": switches, the last of which may take the rest of the word or the next word as its value. */
static int parse_shorts(struct parser *p, struct cw_str word, struct cw_err *err)
{
    for (size_t i = 1; i < word.len; i++) {
        char shown[] = {'-', word.ptr[i], '\0'};
        struct found f = {.flag = find_short(p->command, word.ptr[i]), .shown = cw_str_of(shown)};
        if (f.flag == NULL && word.ptr[i] == 'h') {
            p->rest->action = CW_FLAGS_HELP;
            return 0;
        }
        if (f.flag == NULL)
            return unknown_flag(p->command, word, cw_str_sub(word, 1, word.len), err);
        bool last = f.flag->kind != CW_KEY_BOOL;
        if (last && i + 1 < word.len)
            f.attached = cw_str_sub(word, i + 1 + (word.ptr[i + 1] == '='), word.len);
        int rc = apply(p, &f, err);
        if (rc < 0 || last)
            return rc;
    }
    return 0;
}

static bool is_foreign(const struct cw_command_def *command, struct cw_str name)
{
    struct cw_str rest = cw_str_of(command->foreign), word;
    while (command->foreign != NULL && cw_str_split(&rest, ' ', &word))
        if (cw_str_starts(name, word))
            return true;
    return false;
}

static int parse_word(struct parser *p, struct cw_str word, struct cw_err *err)
{
    struct found f;
    bool two = cw_str_starts(word, CW_STR("--"));
    struct cw_str body = cw_str_sub(word, two ? 2 : 1, word.len);
    if (two || (p->command->style == CW_FLAGS_ONE_DASH && body.len > 1)) {
        if (match_long(p, word, body, &f))
            return p->rest->action != CW_FLAGS_RUN ? 0 : apply(p, &f, err);
        struct cw_str name = cw_str_sub(f.shown, two ? 2 : 1, f.shown.len);
        if (is_completion(p->command, name))
            return set_completion(p, f.attached, err);
        /* A short name that a word begins with ("-qv") is tried before the word is called unknown. */
        if (two || find_short(p->command, word.ptr[1]) == NULL || is_foreign(p->command, name))
            return unknown_flag(p->command, f.shown, name, err);
    }
    return parse_shorts(p, word, err);
}

/* ---- around ---- */

static void set_defaults(struct parser *p)
{
    const struct cw_flag_def *flag;
    struct cw_err err;
    for (size_t i = 0; (flag = flag_at(p->command, i)) != NULL; i++) {
        void *at = p->out + flag->offset;
        struct cw_value_rule rule = rule_of(flag);
        if (flag->seen != 0)
            *(bool *)(p->out + flag->seen - 1) = false;
        switch (flag->kind) {
        case CW_KEY_STRING: *(struct cw_str *)at = cw_str_of(flag->def ? flag->def : ""); break;
        case CW_KEY_BOOL: *(bool *)at = false; break;
        case CW_KEY_INT:
        case CW_KEY_BYTES:
        case CW_KEY_DURATION: *(int64_t *)at = 0; break;
        case CW_KEY_FLOAT: *(double *)at = 0; break;
        case CW_KEY_ENUM: *(int *)at = 0; break;
        case CW_KEY_STRINGS: *(struct cw_config_strings *)at = (struct cw_config_strings){0}; break;
        case CW_KEY_MAP: *(struct cw_config_map *)at = (struct cw_config_map){0}; break;
        default: CW_ASSERT(!"a kind for flags");
        }
        struct cw_str rest = cw_str_of(flag->def), piece;
        while (flag->kind == CW_KEY_STRINGS && cw_str_split(&rest, ',', &piece))
            append_string(p, flag, piece);
        if (flag->kind == CW_KEY_STRINGS)
            continue;
        if (flag->def != NULL && flag->kind != CW_KEY_MAP)
            CW_ASSERT(cw_value_parse(&rule, cw_str_of(flag->def), p->arena, at, &err) == 0);
    }
    /* Lists that hold a default were entered as given: they are to be emptied by the first use. */
    p->ngiven = 0;
}

/* Values of the environment, for flags that were not given. */
static int apply_environment(struct parser *p, struct cw_err *err)
{
    const struct cw_flag_def *flag;
    for (size_t i = 0; (flag = flag_at(p->command, i)) != NULL; i++) {
        bool given = flag->env == NULL;
        for (size_t k = 0; k < p->ngiven && !given; k++)
            given = p->given[k].flag == flag;
        struct cw_str rest = cw_str_of(flag->env), name;
        while (!given && cw_str_split(&rest, ' ', &name)) {
            char *z = cw_str_dupz(name);
            const char *value = getenv(z);
            free(z);
            if (value == NULL || value[0] == '\0')
                continue;
            int rc = set_value(p, flag, cw_str_of(value), err);
            if (rc < 0)
                return cw_err_wrap(err, "environment variable %.*s", CW_STR_ARG(name));
            given = true;
        }
    }
    return 0;
}

static int check_nargs(const struct parser *p, struct cw_err *err)
{
    const struct cw_command_def *command = p->command;
    size_t n = p->rest->nargs;
    if (n < command->min_args)
        return cw_err_set(err, CW_E_INVALID, "%s wants %s", command->name,
                          command->arguments != NULL ? command->arguments : "more arguments");
    if (n > command->max_args)
        return cw_err_set(err, CW_E_INVALID, "unexpected argument \"%.*s\"",
                          CW_STR_ARG(p->rest->args[command->max_args]));
    return 0;
}

int cw_flags_parse(const struct cw_command_def *command, int argc, char *const *argv,
                   struct cw_arena *arena, void *out, struct cw_flags_rest *rest,
                   struct cw_err *err)
{
    struct parser p = {
        .command = command, .argc = argc, .argv = argv, .arena = arena, .out = out, .rest = rest};
    bool flags_ended = false;
    *rest = (struct cw_flags_rest){.action = CW_FLAGS_RUN};
    set_defaults(&p);
    while (p.at < argc) {
        struct cw_str word = cw_str_of(argv[p.at++]);
        if (!flags_ended && cw_str_eqz(word, "--")) {
            flags_ended = true;
        } else if (flags_ended || word.len < 2 || word.ptr[0] != '-') {
            rest->args = cw_arena_grow(arena, rest->args, rest->nargs, &p.rest_cap, rest->nargs + 1,
                                       sizeof *rest->args);
            rest->args[rest->nargs++] = cw_arena_dup(arena, word);
        } else {
            int rc = parse_word(&p, word, err);
            if (rc < 0 || rest->action != CW_FLAGS_RUN)
                return rc;
        }
    }
    int rc = apply_environment(&p, err);
    return rc < 0 ? rc : check_nargs(&p, err);
}

const struct cw_command_def *cw_flags_command(const struct cw_command_def *program,
                                              const char *word, struct cw_err *err)
{
    const struct cw_command_def *near = NULL;
    struct cw_str name = cw_str_of(word);
    unsigned best = 3;
    for (const struct cw_command_def *const *c = program->commands; c != NULL && *c != NULL; c++) {
        const char *last = strrchr((*c)->name, ' ');
        struct cw_str own = cw_str_of(last != NULL ? last + 1 : (*c)->name);
        if (cw_str_eq(own, name))
            return *c;
        unsigned distance = cw_str_distance(name, own, 2);
        if (distance < best) {
            best = distance;
            near = *c;
        }
    }
    if (near != NULL)
        cw_err_set(err, CW_E_INVALID, "unknown command \"%.*s\"; did you mean \"%s\"?",
                   CW_STR_ARG(cw_str_sub(name, 0, 80)), near->name);
    else
        cw_err_set(err, CW_E_INVALID, "unknown command \"%.*s\"; %s --help lists them",
                   CW_STR_ARG(cw_str_sub(name, 0, 80)), program->name);
    return NULL;
}

int cw_flags_answer(const struct cw_command_def *command, const struct cw_flags_rest *rest)
{
    enum { DOCS_MAX_BYTES = 4 << 20 };
    struct cw_buf out;
    cw_buf_init(&out, DOCS_MAX_BYTES);
    switch (rest->action) {
    case CW_FLAGS_RUN: return 1;
    case CW_FLAGS_HELP: cw_docs_help(command, &out); break;
    case CW_FLAGS_VERSION:
        cw_buf_addf(&out, "%.*s %s\n", (int)strcspn(command->name, " "), command->name, CW_VERSION);
        break;
    case CW_FLAGS_MAN: cw_docs_man(command, &out); break;
    case CW_FLAGS_BASH: cw_completion_bash(command, &out); break;
    case CW_FLAGS_FISH: cw_completion_fish(command, &out); break;
    case CW_FLAGS_ZSH: cw_completion_zsh(command, &out); break;
    case CW_FLAGS_REFERENCE_CONFIG: cw_docs_config(command->config, &out); break;
    }
    fwrite(out.ptr, 1, out.len, stdout);
    fflush(stdout);
    cw_buf_fini(&out);
    return 0;
}
