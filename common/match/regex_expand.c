/* regex_expand.c - Go's Regexp.Expand: a template's $name, ${name}, $1 and $$. */
#include "common/match/regex_expand.h"

#include "common/match/regex_unicode.h"

static bool is_name_byte(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

/* The name behind a '$', in braces or as far as it goes; false: the dollar stands for itself. */
static bool take_name(struct cw_str *rest, struct cw_str *name)
{
    bool braces = rest->len > 0 && rest->ptr[0] == '{';
    size_t from = braces ? 1 : 0, end = from;
    while (end < rest->len) {
        uint32_t rune;
        size_t n = cw_utf8_decode(cw_str_sub(*rest, end, rest->len), &rune);
        if (rune < 0x80 ? !is_name_byte((char)rune)
                        : !cw_rune_is_letter(rune) && !cw_rune_is_digit(rune))
            break;
        end += n;
    }
    if (end == from || (braces && (end == rest->len || rest->ptr[end] != '}')))
        return false;
    *name = cw_str_sub(*rest, from, end);
    *rest = cw_str_sub(*rest, braces ? end + 1 : end, rest->len);
    return true;
}

static struct cw_str group_text(const struct cw_regex *regex, const struct cw_str *groups,
                                size_t ngroups, struct cw_str name)
{
    bool number = true;
    for (size_t i = 0; i < name.len; i++)
        number = number && name.ptr[i] >= '0' && name.ptr[i] <= '9';
    if (number && !(name.len > 1 && name.ptr[0] == '0')) { /* $01 is a name */
        uint64_t index;
        return cw_str_to_u64(name, &index) && index < ngroups ? groups[index] : CW_STR_NONE;
    }
    for (size_t i = 1; i < ngroups; i++)
        if (groups[i].ptr != NULL && cw_str_eq(cw_regex_group_name(regex, (unsigned)i), name))
            return groups[i];
    return CW_STR_NONE;
}

void cw_regex_expand(const struct cw_regex *regex, struct cw_str rest, const struct cw_str *groups,
                     size_t ngroups, struct cw_buf *out)
{
    struct cw_str name;
    while (rest.len > 0) {
        ptrdiff_t dollar = cw_str_find_byte(rest, '$');
        size_t plain = dollar < 0 ? rest.len : (size_t)dollar;
        cw_buf_adds(out, cw_str_sub(rest, 0, plain));
        rest = cw_str_sub(rest, plain, rest.len);
        if (rest.len == 0)
            break;
        rest = cw_str_sub(rest, 1, rest.len);
        if (rest.len > 0 && rest.ptr[0] == '$') {
            cw_buf_addc(out, '$');
            rest = cw_str_sub(rest, 1, rest.len);
        } else if (take_name(&rest, &name)) {
            cw_buf_adds(out, group_text(regex, groups, ngroups, name));
        } else {
            cw_buf_addc(out, '$');
        }
    }
}
