package main

import (
	"errors"
	"strings"
	"text/template"
	"text/template/parse"
)

// What common/base/limits.h lets a template do (CW_LIMIT_TEMPLATE_STEPS, CW_LIMIT_TEMPLATE_OUTPUT_BYTES). Go has no bounds, and
// `range` over a number goes on for years.
const (
	maxSteps = 1000000
	maxBytes = 4 << 20
)

var errBound = errors.New("the template does more than it may")

// bounded is what a template writes, and counts the lists that it enters. Each of those is a step of the C side too, which
// counts more: what is stopped here must have been stopped there.
type bounded struct {
	strings.Builder
	steps int
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(p) == 0 {
		b.steps++
	}
	if b.steps > maxSteps || b.Len()+len(p) > maxBytes {
		return 0, errBound
	}
	return b.Builder.Write(p)
}

// large is true of what is so near to the bounds that the C side, which counts pipelines as steps and the texts that functions make,
// may have met one of them.
func (b *bounded) large() bool {
	return b.steps > maxSteps/100 || b.Len() > maxBytes/10
}

// An empty text begins every list: it prints as nothing in errors, and is written.
func countLists(t *template.Template) {
	for _, t := range t.Templates() {
		if t.Tree != nil {
			countList(t.Tree.Root)
		}
	}
}

func countList(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.IfNode:
			countBranch(&n.BranchNode)
		case *parse.WithNode:
			countBranch(&n.BranchNode)
		case *parse.RangeNode:
			countBranch(&n.BranchNode)
		}
	}
	list.Nodes = append([]parse.Node{&parse.TextNode{NodeType: parse.NodeText, Pos: list.Pos}}, list.Nodes...)
}

func countBranch(b *parse.BranchNode) {
	countList(b.List)
	countList(b.ElseList)
}

func repeat(n int, s string) (string, error) {
	if n > 0 && len(s) > maxBytes/n {
		return "", errBound
	}
	return strings.Repeat(s, n), nil
}
