/* Nodes as Go writes them in errors: <repeat -1 "ab">. */
#include "common/template/go_template_priv.h"

static void print_idents(const struct cw_gt_node *node, size_t from, struct cw_buf *out)
{
    for (size_t i = from; i < node->nidents; i++) {
        cw_buf_addc(out, '.');
        cw_buf_adds(out, node->idents[i]);
    }
}

static void print_pipe(const struct cw_gt_node *node, struct cw_buf *out)
{
    for (size_t i = 0; i < node->ndecls; i++) {
        if (i > 0)
            cw_buf_addz(out, ", ");
        cw_gt_node_print(node->decls[i], out);
    }
    if (node->ndecls > 0)
        cw_buf_addz(out, node->is_assign ? " = " : " := ");
    for (size_t i = 0; i < node->nargs; i++) {
        if (i > 0)
            cw_buf_addz(out, " | ");
        cw_gt_node_print(node->args[i], out);
    }
}

static void print_parenthesized(const struct cw_gt_node *node, struct cw_buf *out)
{
    bool pipe = node->kind == CW_GT_N_PIPE;
    if (pipe)
        cw_buf_addc(out, '(');
    cw_gt_node_print(node, out);
    if (pipe)
        cw_buf_addc(out, ')');
}

void cw_gt_node_print(const struct cw_gt_node *node, struct cw_buf *out)
{
    switch (node->kind) {
    case CW_GT_N_PIPE: print_pipe(node, out); break;
    case CW_GT_N_COMMAND:
        for (size_t i = 0; i < node->nargs; i++) {
            if (i > 0)
                cw_buf_addc(out, ' ');
            print_parenthesized(node->args[i], out);
        }
        break;
    case CW_GT_N_FIELD: print_idents(node, 0, out); break;
    case CW_GT_N_VARIABLE:
        cw_buf_adds(out, node->idents[0]);
        print_idents(node, 1, out);
        break;
    case CW_GT_N_CHAIN:
        print_parenthesized(node->args[0], out);
        print_idents(node, 0, out);
        break;
    case CW_GT_N_DOT: cw_buf_addc(out, '.'); break;
    case CW_GT_N_NIL: cw_buf_addz(out, "nil"); break;
    case CW_GT_N_BOOL: cw_buf_addz(out, node->truth ? "true" : "false"); break;
    case CW_GT_N_STRING: cw_buf_adds(out, node->quoted); break;
    case CW_GT_N_TEMPLATE:
        cw_buf_addz(out, "{{template ");
        cw_quote_go(node->text, out);
        if (node->pipe != NULL) {
            cw_buf_addc(out, ' ');
            cw_gt_node_print(node->pipe, out);
        }
        cw_buf_addz(out, "}}");
        break;
    case CW_GT_N_ACTION:
        cw_buf_addz(out, "{{");
        cw_gt_node_print(node->pipe, out);
        cw_buf_addz(out, "}}");
        break;
    case CW_GT_N_END: cw_buf_addz(out, "{{end}}"); break;
    case CW_GT_N_ELSE: cw_buf_addz(out, "{{else}}"); break;
    case CW_GT_N_BREAK: cw_buf_addz(out, "{{break}}"); break;
    case CW_GT_N_CONTINUE: cw_buf_addz(out, "{{continue}}"); break;
    case CW_GT_N_TEXT:
    case CW_GT_N_IDENTIFIER:
    case CW_GT_N_NUMBER: cw_buf_adds(out, node->text); break;
    case CW_GT_N_IF:
    case CW_GT_N_RANGE:
    case CW_GT_N_WITH:
    case CW_GT_N_LIST: break; /* no error stands at one of these, but inside of it */
    }
}
