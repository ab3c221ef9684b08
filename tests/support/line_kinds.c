#include "tests/support/line_kinds.h"

#include "common/base/assert.h"
#include "tests/support/part_model.h"

static uint64_t below(uint64_t *state, uint64_t n)
{
    return part_model_random(state) % n;
}

void line_like_a_log(uint64_t *state, struct cw_buf *out)
{
    static const char *const levels[] = {"INFO", "WARN", "ERROR", "debug"};
    static const char *const verbs[] = {"GET", "POST", "opened", "closed blk"};
    cw_buf_addf(out, "2026-01-%02u %02u:%02u:%02u,%03u %s [worker-%u] %s /api/v%u/item_%u ",
                (unsigned)below(state, 28) + 1, (unsigned)below(state, 24),
                (unsigned)below(state, 60), (unsigned)below(state, 60),
                (unsigned)below(state, 1000), levels[below(state, 4)], (unsigned)below(state, 8),
                verbs[below(state, 4)], (unsigned)below(state, 3), (unsigned)below(state, 100000));
    cw_buf_addf(out, "from 10.%u.%u.%u took %u.%03u ms id=%08x%08x", (unsigned)below(state, 256),
                (unsigned)below(state, 256), (unsigned)below(state, 256),
                (unsigned)below(state, 100), (unsigned)below(state, 1000),
                (unsigned)part_model_random(state), (unsigned)part_model_random(state));
}

void line_like_json(uint64_t *state, struct cw_buf *out)
{
    static const char *const messages[] = {"order placed", "a \\\"quoted\\\" word", "", "back\\\\"};
    cw_buf_addf(out, "{\"ts\":\"2026-01-01T%02u:00:00.123Z\",\"level\":\"info\",\"msg\":\"%s\",",
                (unsigned)below(state, 24), messages[below(state, 4)]);
    cw_buf_addf(out, "\"trace\":\"%016llx%016llx\",\"n\":%u,\"key:%u\":\"v\",\"f\":%u.%u}",
                (unsigned long long)part_model_random(state),
                (unsigned long long)part_model_random(state), (unsigned)below(state, 1000),
                (unsigned)below(state, 3), (unsigned)below(state, 10), (unsigned)below(state, 10));
}

void line_adversarial(uint64_t *state, struct cw_buf *out)
{
    static const char *const pieces[] = {
        "0",
        "00",
        "007",
        "9999999999999999999",
        "18446744073709551615",
        "18446744073709551616",
        "12345678901234567890123",
        "1.2.3.4.5",
        "1.2.3.4",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.",
        "1.2.3",
        "0.5",
        "00.5",
        "123456789012345678.1",
        "1.000000000000000000",
        "12:00:09.657",
        "12:00:09,657",
        "12:00:09.6574",
        "12:60:00",
        "99:59:59",
        "1:12:13:14",
        "12:00:09.657.1",
        "5:1.5",
        "deadbeef",
        "deadbee5",
        "abc12",
        "DEADBEE5",
        "0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcde",
        "01234567890123456789012345678901",
        "0123456789abcdef0",
        "123e4567-e89b-12d3-a456-426614174000",
        "123e4567-e89b-12d3-a456-42661417400g",
        "123e4567-e89b-12d3-a456-4266141740001",
        "123E4567-e89b-12d3-a456-426614174000",
        "abcdefab-e89b-12d3-a456-426614174000",
        "12345678-1234-1234-1234-12345678901",
        "12345678-1234-1234-1234-123456789012",
        "\"",
        "\\\"",
        "\\",
        "\"a b\"",
        "\"a1 b\"",
        "\"k\":",
        "\"k1\":",
        ":",
        ".",
        "-",
        " ",
        "_",
        "a",
        "z9",
        "\t",
        "\r\n",
        "\n",
        "\x1b[31m",
        "\xc3\xa4",
        "\xff\xfe",
        "{",
        "\x7f",
    };
    for (uint64_t n = below(state, 30); n > 0; n--)
        cw_buf_addz(out, pieces[below(state, CW_COUNT(pieces))]);
    if (below(state, 50) == 0)
        cw_buf_addc(out, (char)below(state, 0x20));
}
