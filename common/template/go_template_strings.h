/*
 * go_template_strings.h - the functions of templates on texts, regular expressions, JSON and times.
 */
#ifndef CW_TEMPLATE_GO_TEMPLATE_STRINGS_H
#define CW_TEMPLATE_GO_TEMPLATE_STRINGS_H
#include "common/template/go_template_priv.h"

CW_GT_FN(lower);
CW_GT_FN(upper);
CW_GT_FN(title);
CW_GT_FN(trim_space);
CW_GT_FN(trim_left); /* text, set */
CW_GT_FN(trim_right);
CW_GT_FN(trim_both);
CW_GT_FN(trim_all);       /* set, text */
CW_GT_FN(trim_prefix_of); /* text, prefix */
CW_GT_FN(trim_suffix_of);
CW_GT_FN(trim_prefix); /* prefix, text */
CW_GT_FN(trim_suffix);
CW_GT_FN(replace_n); /* text, old, new, count */
CW_GT_FN(replace);   /* old, new, text */
CW_GT_FN(contains);
CW_GT_FN(has_prefix);
CW_GT_FN(has_suffix);
CW_GT_FN(repeat);
CW_GT_FN(indent);
CW_GT_FN(nindent);
CW_GT_FN(trunc);
CW_GT_FN(substr);
CW_GT_FN(align_left);
CW_GT_FN(align_right);
CW_GT_FN(b64enc);
CW_GT_FN(b64dec);
CW_GT_FN(urlencode);
CW_GT_FN(urldecode);
CW_GT_FN(regex_replace_all);
CW_GT_FN(regex_replace_all_literal);
CW_GT_FN(count);

/* net/url's QueryEscape. */
void cw_go_query_escape(struct cw_str text, struct cw_buf *out);

#endif
