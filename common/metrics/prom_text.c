#include "common/metrics/prom_text.h"

#include "common/base/float_text.h"

/* Where a text stands: quotes are escaped in label values only. */
enum text_place { IN_HELP, IN_LABEL };

static void add_escaped(struct cw_buf *out, struct cw_str s, enum text_place place)
{
    for (size_t at = 0; at < s.len;) {
        uint32_t rune;
        size_t n = cw_utf8_decode(cw_str_sub(s, at, s.len), &rune);
        if (rune == '\\')
            cw_buf_addz(out, "\\\\");
        else if (rune == '\n')
            cw_buf_addz(out, "\\n");
        else if (rune == '"' && place == IN_LABEL)
            cw_buf_addz(out, "\\\"");
        else if (rune == 0xFFFD && n == 1)
            cw_buf_addz(out, "\xEF\xBF\xBD");
        else
            cw_buf_add(out, s.ptr + at, n);
        at += n;
    }
}

void cw_prom_head(struct cw_buf *out, struct cw_str name, struct cw_str help, const char *type)
{
    if (help.len > 0) {
        cw_buf_addz(out, "# HELP ");
        cw_buf_adds(out, name);
        cw_buf_addc(out, ' ');
        add_escaped(out, help, IN_HELP);
        cw_buf_addc(out, '\n');
    }
    cw_buf_addz(out, "# TYPE ");
    cw_buf_adds(out, name);
    cw_buf_addf(out, " %s\n", type);
}

void cw_prom_value(struct cw_buf *out, double value)
{
    cw_float_text_general(value, out);
}

void cw_prom_sample(struct cw_buf *out, struct cw_str name, const char *suffix,
                    const struct cw_prom_label *labels, size_t nlabels, double value)
{
    cw_buf_adds(out, name);
    cw_buf_addz(out, suffix);
    for (size_t i = 0; i < nlabels; i++) {
        cw_buf_addc(out, i == 0 ? '{' : ',');
        cw_buf_adds(out, labels[i].name);
        cw_buf_addz(out, "=\"");
        add_escaped(out, labels[i].value, IN_LABEL);
        cw_buf_addc(out, '"');
    }
    cw_buf_addz(out, nlabels > 0 ? "} " : " ");
    cw_prom_value(out, value);
    cw_buf_addc(out, '\n');
}

static bool name_byte(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

bool cw_prom_name_valid(struct cw_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!name_byte(name.ptr[i], i == 0) && name.ptr[i] != ':')
            return false;
    }
    return name.len > 0;
}

bool cw_prom_label_name_valid(struct cw_str name)
{
    return cw_prom_name_valid(name) && cw_str_find_byte(name, ':') < 0 &&
           !cw_str_starts(name, CW_STR("__"));
}

void cw_prom_name_add(struct cw_buf *out, struct cw_str name)
{
    if (name.len == 0 || (name.ptr[0] >= '0' && name.ptr[0] <= '9'))
        cw_buf_addc(out, '_');
    for (size_t i = 0; i < name.len; i++)
        cw_buf_addc(out, name_byte(name.ptr[i], false) ? name.ptr[i] : '_');
}
