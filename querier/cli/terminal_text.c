#include "querier/cli/terminal_text.h"

#include <unistd.h>

bool cw_terminal_text_wanted(enum cw_cli_when when)
{
    return when == CW_CLI_WHEN_ALWAYS || (when == CW_CLI_WHEN_AUTO && isatty(STDOUT_FILENO));
}

/* The one-byte controls, those of two bytes (U+0080 to U+009F), and what stands for a byte that is no UTF-8. */
static bool is_control(uint32_t rune, size_t len)
{
    bool whole = rune != 0xFFFD || len == 3;
    return !whole || (rune < 0x20 && rune != '\t' && rune != '\n') || (rune >= 0x7F && rune < 0xA0);
}

void cw_terminal_text_add(struct cw_str text, struct cw_buf *out)
{
    for (size_t at = 0; at < text.len;) {
        uint32_t rune;
        struct cw_str rest = cw_str_sub(text, at, text.len);
        size_t len = cw_utf8_decode(rest, &rune);
        if (is_control(rune, len)) {
            for (size_t i = 0; i < len; i++)
                cw_buf_addf(out, "\\x%02x", (unsigned char)rest.ptr[i]);
        } else {
            cw_buf_adds(out, cw_str_sub(rest, 0, len));
        }
        at += len;
    }
}
