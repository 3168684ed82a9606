// Package table formats Markdown tables and the numbers in them.
package table

import (
	"strings"
	"unicode/utf8"
)

// Table is a Markdown table whose columns line up in plain text too. A head that
// begins with "<" makes its column left-aligned; all others are right-aligned.
type Table struct {
	rows [][]string
}

func New(heads ...string) *Table { return &Table{rows: [][]string{heads}} }

func (t *Table) Add(cells ...string) { t.rows = append(t.rows, cells) }

// String returns the table with an empty line after it.
func (t *Table) String() string {
	left := make([]bool, len(t.rows[0]))
	widths := make([]int, len(t.rows[0]))
	for i, head := range t.rows[0] {
		t.rows[0][i], left[i] = strings.CutPrefix(head, "<")
		widths[i] = 4
	}
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	b := new(strings.Builder)
	for n, row := range t.rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if left[i] {
				b.WriteString("| " + cell + pad + " ")
			} else {
				b.WriteString("| " + pad + cell + " ")
			}
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		for i, width := range widths {
			last := ":"
			if left[i] {
				last = "-"
			}
			b.WriteString("| " + strings.Repeat("-", width-1) + last + " ")
		}
		b.WriteString("|\n")
	}
	b.WriteString("\n")
	return b.String()
}
