#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "querier/engine/pattern_text.h"

static void expect(const char *template, const char *message, const char *want)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    cw_pattern_text(cw_str_of(template), cw_str_of(message), &out);
    cr_expect_str_eq(cw_buf_z(&out), want);
    cw_buf_fini(&out);
}

Test(pattern_text, slots_are_placeholders)
{
    expect("took \5 ms", "", "took <_> ms");
    expect("\21", "", "<_>");
    expect("", "", "");
    expect("no slot at all", "", "no slot at all");
}

Test(pattern_text, chains_are_one_placeholder)
{
    expect("\6-\6-\17:\6:\17 up", "", "<_> up");
    expect("from \4:\6 to \4:\6", "", "from <_> to <_>");
    expect("blk_-\6 a -\5 b+\6", "", "blk_<_> a <_> b+<_>");
    expect("[\6/Mar/\6:\1 +\6]", "", "[<_> <_>]");
    expect("Sun Dec \6 \1 Sunday", "", "<_> <_> <_> <_> Sunday");
}

Test(pattern_text, what_the_filter_would_refuse_is_a_placeholder)
{
    expect("error=<nil> <_><a_b> <memory:\6>", "", "error=<_> <_> <memory:<_>>");
}

Test(pattern_text, json_is_its_message)
{
    expect("{\"ts\":\"\17\",\"msg\":\"\20\",\"n\":\6}", "user logged in", "<_>user logged in<_>");
    expect("{\"ts\":\"\17\",\"msg\":\"\20\"}", "", "{\"ts\":\"<_>\",\"msg\":\"<_>\"}");
    expect("{\"message\": \"took \6 ms\", \"msg\":\"\20\"}", "x", "<_>took <_> ms<_>");
    expect("{\"msg\":\"say \\\"hi\\\" \6\"}", "", "<_>say \\\"hi\\\" <_>");
    expect("{\"msg\":\"\20\"}", "job 17 done", "<_>job <_> done<_>");
    expect("{\"msg\":\"\20\"}", "1234", "{\"msg\":\"<_>\"}");
    expect("{\"kind\":\"\20\"}", "", "{\"kind\":\"<_>\"}");
    expect("{\"msg\":\"open", "", "{\"msg\":\"open");
}

Test(pattern_text, logfmt_shows_its_message_in_its_line)
{
    expect("level=info msg=\"\20\" n=\6", "all done", "level=info msg=\"all done\" n=<_>");
    expect("level=info xmsg=\"\20\" n=\6", "all done", "level=info xmsg=\"<_>\" n=<_>");
}

Test(pattern_text, the_messages_slot_is_found)
{
    size_t at;
    cr_expect(cw_pattern_message_slot(CW_STR("{\"a\":\6,\"msg\":\"\20\"}"), &at));
    cr_expect_eq(at, 14);
    cr_expect_not(cw_pattern_message_slot(CW_STR("{\"msg\":\"a \6\"}"), &at));
    cr_expect_not(cw_pattern_message_slot(CW_STR("msg"), &at));
    cr_expect_not(cw_pattern_message_slot(CW_STR("{\"msg\":\""), &at));
}

Test(pattern_text, a_long_pattern_ends_early)
{
    struct cw_buf template, out;
    cw_buf_init(&template, SIZE_MAX);
    cw_buf_init(&out, SIZE_MAX);
    for (int i = 0; i < 2000; i++)
        cw_buf_addz(&template, "ab \6 ");
    cw_pattern_text(cw_buf_str(&template), CW_STR_NONE, &out);
    cr_expect_leq(out.len, (size_t)CW_PATTERN_TEXT_MAX + 3);
    cr_expect(cw_str_ends(cw_buf_str(&out), CW_STR("<_>")));
    cw_buf_fini(&template);
    cw_buf_fini(&out);
}
