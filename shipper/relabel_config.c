#include "shipper/relabel_config.h"
#include "common/labels/labels.h"
#include "common/match/regex.h"

#define DEFAULT_SEPARATOR ";"
#define DEFAULT_REGEX "(.*)"
#define DEFAULT_REPLACEMENT "$1"

static const char *const action_names[CW_RELABEL_NACTIONS] = {
    [CW_RELABEL_REPLACE] = "replace",     [CW_RELABEL_KEEP] = "keep",
    [CW_RELABEL_DROP] = "drop",           [CW_RELABEL_KEEPEQUAL] = "keepequal",
    [CW_RELABEL_DROPEQUAL] = "dropequal", [CW_RELABEL_HASHMOD] = "hashmod",
    [CW_RELABEL_LABELMAP] = "labelmap",   [CW_RELABEL_LABELDROP] = "labeldrop",
    [CW_RELABEL_LABELKEEP] = "labelkeep", [CW_RELABEL_LOWERCASE] = "lowercase",
    [CW_RELABEL_UPPERCASE] = "uppercase",
};

enum cw_relabel_action cw_relabel_action_of(struct cw_str name)
{
    for (int i = 0; i < CW_RELABEL_NACTIONS; i++)
        if (cw_str_eq_nocase(name, cw_str_of(action_names[i])))
            return i;
    return CW_RELABEL_NACTIONS;
}

bool cw_relabel_has_variables(struct cw_str text)
{
    return cw_str_find_byte(text, '$') >= 0;
}

static bool word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The length of the variable at the front ("$1", "${name}"); 0: there is none. */
static size_t variable_len(struct cw_str text)
{
    bool braces = text.len > 1 && text.ptr[1] == '{';
    size_t from = braces ? 2 : 1, at = from;
    while (at < text.len && word(text.ptr[at]))
        at++;
    if (at == from || (braces && (at == text.len || text.ptr[at] != '}')))
        return 0;
    return at + braces;
}

/* A label's name in which variables may stand for parts: ${1}_name, app_$1. */
static bool name_template_valid(struct cw_str text)
{
    for (size_t i = 0; i < text.len;) {
        struct cw_str rest = cw_str_sub(text, i, text.len);
        size_t n = rest.ptr[0] == '$'                                     ? variable_len(rest)
                   : word(rest.ptr[0]) && !(i == 0 && rest.ptr[0] <= '9') ? 1
                                                                          : 0;
        if (n == 0)
            return false;
        i += n;
    }
    return text.len > 0;
}

static int action_check(const void *value, struct cw_err *err)
{
    struct cw_str name = *(const struct cw_str *)value;
    if (cw_relabel_action_of(name) != CW_RELABEL_NACTIONS)
        return 0;
    return cw_err_set(err, CW_E_INVALID, "unknown relabel action \"%.*s\"", CW_STR_ARG(name));
}

static int source_labels_check(const void *value, struct cw_err *err)
{
    const struct cw_config_strings *names = value;
    for (size_t i = 0; i < names->n; i++)
        if (!cw_label_name_valid(names->items[i]))
            return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is not a valid label name",
                              CW_STR_ARG(names->items[i]));
    return 0;
}

static int regex_check(const void *value, struct cw_err *err)
{
    struct cw_regex *regex = NULL;
    int rc = cw_regex_compile(*(const struct cw_str *)value, CW_REGEX_FULL | CW_REGEX_DOT_NEWLINE,
                              &regex, err);
    cw_regex_free(&regex);
    return rc;
}

static int invalid_name(const char *what, struct cw_str value, struct cw_str action,
                        struct cw_err *err)
{
    return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is invalid '%s' for %.*s action",
                      CW_STR_ARG(value), what, CW_STR_ARG(action));
}

static int target_check(const struct cw_relabel_config *config, enum cw_relabel_action action,
                        struct cw_err *err)
{
    struct cw_str target = config->target_label;
    if (target.len == 0)
        return cw_err_set(err, CW_E_INVALID,
                          "relabel configuration for %.*s action requires 'target_label' value",
                          CW_STR_ARG(config->action));
    bool valid = action == CW_RELABEL_REPLACE && cw_relabel_has_variables(target)
                     ? name_template_valid(target)
                     : cw_label_name_valid(target);
    return valid ? 0 : invalid_name("target_label", target, config->action, err);
}

static int relabel_check(const void *value, struct cw_err *err)
{
    const struct cw_relabel_config *config = value;
    enum cw_relabel_action action = cw_relabel_action_of(config->action);
    bool names = action == CW_RELABEL_LABELDROP || action == CW_RELABEL_LABELKEEP;
    bool equal = action == CW_RELABEL_KEEPEQUAL || action == CW_RELABEL_DROPEQUAL;
    bool letters = action == CW_RELABEL_LOWERCASE || action == CW_RELABEL_UPPERCASE;
    bool target = action == CW_RELABEL_REPLACE || action == CW_RELABEL_HASHMOD || equal || letters;
    bool plain_regex = cw_str_eqz(config->regex, DEFAULT_REGEX);
    bool plain_replacement = cw_str_eqz(config->replacement, DEFAULT_REPLACEMENT);
    bool plain = cw_str_eqz(config->separator, DEFAULT_SEPARATOR) && config->modulus == 0 &&
                 plain_replacement;
    if (action == CW_RELABEL_HASHMOD && config->modulus == 0)
        return cw_err_set(err, CW_E_INVALID,
                          "relabel configuration for hashmod requires non-zero modulus");
    int rc = target ? target_check(config, action, err) : 0;
    if (rc < 0)
        return rc;
    if (letters && !plain_replacement)
        return cw_err_set(err, CW_E_INVALID, "'replacement' can not be set for %.*s action",
                          CW_STR_ARG(config->action));
    if (action == CW_RELABEL_LABELMAP && !name_template_valid(config->replacement))
        return invalid_name("replacement", config->replacement, config->action, err);
    if (equal && !(plain && plain_regex))
        return cw_err_set(err, CW_E_INVALID,
                          "%.*s action requires only 'source_labels' and 'target_label', and no "
                          "other fields",
                          CW_STR_ARG(config->action));
    if (names && !(plain && config->source_labels.n == 0 && config->target_label.len == 0))
        return cw_err_set(err, CW_E_INVALID,
                          "%.*s action requires only 'regex', and no other fields",
                          CW_STR_ARG(config->action));
    return 0;
}

#define ROW(member) offsetof(struct cw_relabel_config, member)
static const struct cw_key_def relabel_keys[] = {
    {"source_labels", CW_KEY_STRINGS, ROW(source_labels), .check = source_labels_check,
     .doc = "The values of these labels, joined by the separator, are what the regex looks at."},
    {"separator", CW_KEY_STRING, ROW(separator), .def = DEFAULT_SEPARATOR,
     .doc = "Stands between them."},
    {"regex", CW_KEY_STRING, ROW(regex), .def = DEFAULT_REGEX, .check = regex_check,
     .doc =
         "Must match the whole text; in labelmap, labeldrop and labelkeep a label's whole name."},
    {"target_label", CW_KEY_STRING, ROW(target_label),
     .doc = "The label that is set; of replace it may name groups of the regex."},
    {"replacement", CW_KEY_STRING, ROW(replacement), .def = DEFAULT_REPLACEMENT,
     .doc = "Its new value, of labelmap its new name; $1 and ${name} are groups of the regex. An "
            "empty value removes the label."},
    {"modulus", CW_KEY_INT, ROW(modulus), .def = "0", .min = "0",
     .doc = "hashmod sets the rest of the text's hash by it."},
    {"action", CW_KEY_STRING, ROW(action), .def = "replace", .check = action_check,
     .doc = "replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, "
            "lowercase or uppercase."},
};
const struct cw_table_def cw_relabel_table = {.name = "relabel_config",
                                              .keys = relabel_keys,
                                              .nkeys = sizeof relabel_keys / sizeof relabel_keys[0],
                                              .size = sizeof(struct cw_relabel_config),
                                              .check = relabel_check};
