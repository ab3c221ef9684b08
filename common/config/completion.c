#include "common/config/completion.h"

#include <string.h>

/* What stands behind a flag, or what the arguments are. */
enum value { VALUE_ANY, VALUE_FILE, VALUE_FOLDER, VALUE_NAMES };

static enum value value_of(const struct cw_flag_def *flag)
{
    if (flag->kind == CW_KEY_ENUM)
        return VALUE_NAMES;
    const char *arg = flag->arg != NULL ? flag->arg : "";
    return strcmp(arg, "FILE") == 0 || strcmp(arg, "SOCKET") == 0 ? VALUE_FILE
           : strcmp(arg, "DIR") == 0                              ? VALUE_FOLDER
                                                                  : VALUE_ANY;
}

static bool takes_files(const struct cw_command_def *command)
{
    const char *arguments = command->arguments != NULL ? command->arguments : "";
    return strstr(arguments, "FILE") != NULL || strstr(arguments, "PATH") != NULL;
}

/* "query" of "cordwood query"; a program's whole name. */
static const char *own_name(const struct cw_command_def *command)
{
    const char *last = strrchr(command->name, ' ');
    return last != NULL ? last + 1 : command->name;
}

/* The shown flags, one after the other; *at begins at 0. NULL behind the last one. */
static const struct cw_flag_def *next_flag(const struct cw_command_def *command, size_t *at)
{
    size_t n = *at;
    const struct cw_flag_group *const *group = command->groups;
    for (; group != NULL && *group != NULL; group++) {
        for (; n < (*group)->n; n++) {
            *at += 1;
            if ((*group)->flags[n].show == CW_FLAG_SHOWN)
                return &(*group)->flags[n];
        }
        n -= (*group)->n;
    }
    return NULL;
}

/* A switch that is on by default is offered as --no-x too. */
static bool is_on(const struct cw_flag_def *flag)
{
    return flag->kind == CW_KEY_BOOL && flag->def != NULL && strcmp(flag->def, "true") == 0;
}

/* ---- bash ---- */

/* The patterns of a `case` that name the flag: --x | --alias | -x */
static void bash_patterns(struct cw_buf *out, const struct cw_flag_def *flag)
{
    struct cw_str rest = cw_str_of(flag->alias), name;
    cw_buf_addf(out, "--%s", flag->name);
    while (flag->alias != NULL && cw_str_split(&rest, ' ', &name))
        cw_buf_addf(out, " | --%.*s", CW_STR_ARG(name));
    if (flag->shortname != 0)
        cw_buf_addf(out, " | -%c", flag->shortname);
}

/* One branch for each flag that takes a value: what may follow it. */
static void bash_values(struct cw_buf *out, const struct cw_command_def *command)
{
    const struct cw_flag_def *flag;
    cw_buf_addz(out, "        case $prev in\n");
    for (size_t at = 0; (flag = next_flag(command, &at)) != NULL;) {
        if (flag->kind == CW_KEY_BOOL)
            continue;
        cw_buf_addz(out, "        ");
        bash_patterns(out, flag);
        switch (value_of(flag)) {
        case VALUE_ANY: cw_buf_addz(out, ") offer= ;;\n"); continue;
        case VALUE_FILE: cw_buf_addz(out, ") offer=files ;;\n"); continue;
        case VALUE_FOLDER: cw_buf_addz(out, ") offer=folders ;;\n"); continue;
        case VALUE_NAMES: break;
        }
        cw_buf_addz(out, ") offer=words words='");
        for (size_t i = 0; flag->names[i] != NULL; i++)
            cw_buf_addf(out, "%s%s", i > 0 ? " " : "", flag->names[i]);
        cw_buf_addz(out, "' ;;\n");
    }
    cw_buf_addz(out, "        *) known= ;;\n        esac\n");
}

static void bash_command(struct cw_buf *out, const struct cw_command_def *command)
{
    const struct cw_flag_def *flag;
    cw_buf_addz(out, "        flags='--help");
    for (size_t at = 0; (flag = next_flag(command, &at)) != NULL;) {
        cw_buf_addf(out, " --%s", flag->name);
        if (is_on(flag))
            cw_buf_addf(out, " --no-%s", flag->name);
    }
    cw_buf_addz(out, " --version'\n");
    cw_buf_addf(out, "        arguments=%s\n", takes_files(command) ? "files" : "");
    bash_values(out, command);
}

/* bash splits --x=v into three words at the '='; `prev` is the flag then too. */
static const char bash_words[] =
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local word command= words= flags= arguments= offer= known=1\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=\n"
    "    elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n";

static const char bash_offer[] =
    "    if [[ -z $known ]]; then\n"
    "        if [[ $cur == -* ]]; then\n"
    "            offer=words words=$flags\n"
    "        else\n"
    "            offer=$arguments\n"
    "        fi\n"
    "    fi\n"
    "    COMPREPLY=()\n"
    "    case $offer in\n"
    "    words) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
    "    files) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
    "    folders) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
    "    esac\n"
    "    case $offer in files | folders) compopt -o filenames 2>/dev/null ;; esac\n"
    "}\n";

/* The names of the subcommands in a row. */
static void add_names(struct cw_buf *out, const struct cw_command_def *program, const char *between)
{
    for (const struct cw_command_def *const *c = program->commands; *c != NULL; c++)
        cw_buf_addf(out, "%s%s", c > program->commands ? between : "", own_name(*c));
}

/* A shell's name for the function: letters, digits, '_'. */
static void add_function(struct cw_buf *out, const struct cw_command_def *program)
{
    cw_buf_addc(out, '_');
    for (const char *c = program->name; *c != '\0'; c++)
        cw_buf_addc(out, *c == '-' ? '_' : *c);
}

void cw_completion_bash(const struct cw_command_def *program, struct cw_buf *out)
{
    const struct cw_command_def *const *c;
    cw_buf_addf(out, "# bash completion for %s, made by %s --completion bash\n", program->name,
                program->name);
    add_function(out, program);
    cw_buf_addz(out, "()\n{\n");
    cw_buf_addz(out, bash_words);
    if (program->commands != NULL) { /* flags may come before the command */
        cw_buf_addz(out, "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                         "        case $word in ");
        add_names(out, program, " | ");
        cw_buf_addz(out, ") command=$word && break ;; esac\n    done\n");
    }
    cw_buf_addz(out, "    case $command in\n");
    for (c = program->commands; c != NULL && *c != NULL; c++) {
        cw_buf_addf(out, "    %s)\n", own_name(*c));
        bash_command(out, *c);
        cw_buf_addz(out, "        ;;\n");
    }
    cw_buf_addz(out, "    *)\n");
    bash_command(out, program);
    if (program->commands != NULL) {
        cw_buf_addz(out, "        if [[ $cur != -* && -z $known ]]; then\n"
                         "            known=1 offer=words words='");
        add_names(out, program, " ");
        cw_buf_addz(out, "'\n        fi\n");
    }
    cw_buf_addz(out, "        ;;\n    esac\n");
    cw_buf_addz(out, bash_offer);
    cw_buf_addz(out, "complete -F ");
    add_function(out, program);
    cw_buf_addf(out, " %s\n", program->name);
}

/* A first sentence ends here. */
static bool sentence_ends(const char *at)
{
    return *at == '.' && (at[1] == '\0' || at[1] == ' ');
}

/* ---- fish ---- */

/* The first sentence of `doc` in single quotes. */
static void fish_text(struct cw_buf *out, const char *doc)
{
    cw_buf_addc(out, '\'');
    for (const char *c = doc != NULL ? doc : ""; *c != '\0' && !sentence_ends(c); c++) {
        if (*c == '\'' || *c == '\\')
            cw_buf_addc(out, '\\');
        cw_buf_addc(out, *c);
    }
    cw_buf_addc(out, '\'');
}

/* The beginning of a line that holds for one command only ("": where none stands yet). */
static void fish_line(struct cw_buf *out, const struct cw_command_def *program, const char *command)
{
    cw_buf_addf(out, "complete -c %s -n '_", program->name);
    add_function(out, program);
    cw_buf_addf(out, "_at \"%s\"'", command);
}

static void fish_flag(struct cw_buf *out, const struct cw_flag_def *flag)
{
    cw_buf_addf(out, " -l %s", flag->name);
    if (flag->shortname != 0)
        cw_buf_addf(out, " -s %c", flag->shortname);
    if (flag->kind != CW_KEY_BOOL) {
        switch (value_of(flag)) {
        case VALUE_ANY: cw_buf_addz(out, " -x"); break;
        case VALUE_FILE: cw_buf_addz(out, " -r -F"); break;
        case VALUE_FOLDER: cw_buf_addz(out, " -x -a '(__fish_complete_directories)'"); break;
        case VALUE_NAMES:
            for (size_t i = 0; flag->names[i] != NULL; i++)
                cw_buf_addf(out, "%s%s", i > 0 ? " " : " -x -a '", flag->names[i]);
            cw_buf_addc(out, '\'');
            break;
        }
    }
    cw_buf_addz(out, " -d ");
    fish_text(out, flag->doc);
    cw_buf_addc(out, '\n');
}

static void fish_command(struct cw_buf *out, const struct cw_command_def *program,
                         const struct cw_command_def *command)
{
    const char *name = command == program ? "" : own_name(command);
    const struct cw_flag_def *flag;
    for (size_t at = 0; (flag = next_flag(command, &at)) != NULL;) {
        fish_line(out, program, name);
        fish_flag(out, flag);
        if (is_on(flag)) {
            fish_line(out, program, name);
            cw_buf_addf(out, " -l no-%s -d ", flag->name);
            fish_text(out, flag->doc);
            cw_buf_addc(out, '\n');
        }
    }
    if (takes_files(command)) {
        fish_line(out, program, name);
        cw_buf_addz(out, " -F\n");
    }
}

void cw_completion_fish(const struct cw_command_def *program, struct cw_buf *out)
{
    const struct cw_command_def *const *c;
    cw_buf_addf(out, "# fish completion for %s, made by %s --completion fish\n", program->name,
                program->name);
    cw_buf_addz(out, "function _");
    add_function(out, program);
    cw_buf_addz(out, "_at --description 'Is this the subcommand on the line?'\n"
                     "    set -l command ''\n");
    if (program->commands != NULL) {
        cw_buf_addz(out, "    for word in (commandline -opc)[2..]\n"
                         "        if contains -- $word ");
        add_names(out, program, " ");
        cw_buf_addz(out, "\n            set command $word\n            break\n        end\n"
                         "    end\n");
    }
    cw_buf_addz(out, "    test \"$command\" = \"$argv[1]\"\nend\n");
    cw_buf_addf(out, "complete -c %s -f\n", program->name);
    cw_buf_addf(out, "complete -c %s -l help -s h -d 'Show the flags'\n", program->name);
    cw_buf_addf(out, "complete -c %s -l version -d 'Show the version'\n", program->name);
    for (c = program->commands; c != NULL && *c != NULL; c++) {
        fish_line(out, program, "");
        cw_buf_addf(out, " -a %s -d ", own_name(*c));
        fish_text(out, (*c)->brief);
        cw_buf_addc(out, '\n');
        fish_command(out, program, *c);
    }
    fish_command(out, program, program);
}

/* ---- zsh ---- */

/* The first sentence of `doc`, inside of single quotes; `special` are escaped with a backslash. */
static void zsh_text(struct cw_buf *out, const char *doc, const char *special)
{
    for (const char *c = doc != NULL ? doc : ""; *c != '\0'; c++) {
        if (sentence_ends(c))
            return;
        if (*c == '\'')
            cw_buf_addz(out, "'\\'");
        else if (strchr(special, *c) != NULL)
            cw_buf_addc(out, '\\');
        cw_buf_addc(out, *c);
    }
}

/* One form of a flag for _arguments: '*--x=[doc]:ARG:(a b)'. `marks` stand in front and behind the name. */
static void zsh_flag(struct cw_buf *out, const struct cw_flag_def *flag, const char *dashes,
                     struct cw_str name)
{
    bool repeats = flag->kind == CW_KEY_STRINGS || flag->kind == CW_KEY_MAP;
    bool is_long = dashes[1] != '\0';
    const char *mark = flag->kind == CW_KEY_BOOL ? "" : is_long ? "=" : "+";
    cw_buf_addf(out, " \\\n            '%s%s%.*s%s[", repeats ? "*" : "", dashes, CW_STR_ARG(name),
                mark);
    zsh_text(out, flag->doc, "[]:\\");
    cw_buf_addc(out, ']');
    if (flag->kind != CW_KEY_BOOL) {
        cw_buf_addc(out, ':');
        zsh_text(out, flag->arg != NULL ? flag->arg : "VALUE", ":\\");
        cw_buf_addc(out, ':');
    }
    switch (value_of(flag)) {
    case VALUE_ANY: break;
    case VALUE_FILE: cw_buf_addz(out, "_files"); break;
    case VALUE_FOLDER: cw_buf_addz(out, "_files -/"); break;
    case VALUE_NAMES:
        for (size_t i = 0; flag->names[i] != NULL; i++)
            cw_buf_addf(out, "%s%s", i > 0 ? " " : "(", flag->names[i]);
        cw_buf_addc(out, ')');
        break;
    }
    cw_buf_addc(out, '\'');
}

static void zsh_arguments(struct cw_buf *out, const struct cw_command_def *command)
{
    const struct cw_flag_def *flag;
    cw_buf_addz(out, "        _arguments -s -S");
    for (size_t at = 0; (flag = next_flag(command, &at)) != NULL;) {
        zsh_flag(out, flag, "--", cw_str_of(flag->name));
        if (is_on(flag))
            zsh_flag(out, flag, "--no-", cw_str_of(flag->name));
        if (flag->shortname != 0)
            zsh_flag(out, flag, "-", cw_str_make(&flag->shortname, 1));
    }
    cw_buf_addz(out, " \\\n            '(- *)'{-h,--help}'[Show the flags]'"
                     " \\\n            '(- *)--version[Show the version]'");
    if (takes_files(command))
        cw_buf_addz(out, " \\\n            '*:file:_files'");
    else if (command->arguments != NULL && command->commands == NULL) {
        cw_buf_addz(out, " \\\n            '*:");
        zsh_text(out, command->arguments, ":\\");
        cw_buf_addz(out, ":'");
    }
    cw_buf_addc(out, '\n');
}

void cw_completion_zsh(const struct cw_command_def *program, struct cw_buf *out)
{
    const struct cw_command_def *const *c;
    cw_buf_addf(out, "#compdef %s\n# made by %s --completion zsh\n", program->name, program->name);
    add_function(out, program);
    cw_buf_addz(out, "()\n{\n");
    if (program->commands != NULL) {
        cw_buf_addz(out, "    local -a commands=(\n");
        for (c = program->commands; *c != NULL; c++) {
            cw_buf_addf(out, "        '%s:", own_name(*c));
            zsh_text(out, (*c)->brief, "\\");
            cw_buf_addz(out, "'\n");
        }
        cw_buf_addz(out, "    )\n"
                         "    local command=\n"
                         "    local -i at\n"
                         "    for ((at = 2; at < CURRENT; at++)); do\n"
                         "        case $words[at] in ");
        add_names(out, program, " | ");
        cw_buf_addz(out, ") command=$words[at] && break ;; esac\n"
                         "    done\n"
                         "    if [[ -z $command && $words[CURRENT] != -* ]]; then\n"
                         "        _describe command commands\n"
                         "        return\n"
                         "    fi\n"
                         "    [[ -n $command ]] && words[at]=() && ((CURRENT--))\n"
                         "    case $command in\n");
        for (c = program->commands; *c != NULL; c++) {
            cw_buf_addf(out, "    %s)\n", own_name(*c));
            zsh_arguments(out, *c);
            cw_buf_addz(out, "        ;;\n");
        }
        cw_buf_addz(out, "    *)\n");
        zsh_arguments(out, program);
        cw_buf_addz(out, "        ;;\n    esac\n");
    } else {
        zsh_arguments(out, program);
    }
    cw_buf_addz(out, "}\n");
    add_function(out, program);
    cw_buf_addz(out, " \"$@\"\n");
}
