package main

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jobgate/cmd/jobgate/gatetest"
)

// pages returns the repository's Markdown files by path, relative to this folder.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			text, err := os.ReadFile(path)
			all[path] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingPattern = regexp.MustCompile(`(?m)^#+ (.+)$`)
	blockPattern   = regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```")
	notInAnchor    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns the link anchors of a page's headings.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, h := range headingPattern.FindAllStringSubmatch(page, -1) {
		all[strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return all
}

// TestLinks checks that relative links in documents point to existing files and headings.
func TestLinks(t *testing.T) {
	t.Parallel()
	all, links := pages(t), 0
	for path, text := range all {
		for _, l := range linkPattern.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(l[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			file := path
			if target != "" {
				file = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: the target of %s does not exist", path, l[1])
			} else if anchor != "" && !anchors(all[file])[anchor] {
				t.Errorf("%s: the heading of %s does not exist", path, l[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links were found", links)
	}
}

// standards are the external documents that comments may cite by section number. Documents of the repository are cited by
// file name.
var standards = []string{"RFC", "YAML", "MQTT", "TLS", "SEC"}

var (
	citedPage    = regexp.MustCompile(`[A-Za-z0-9_./-]+\.md\b`)
	citedSection = regexp.MustCompile(`\b([A-Z]{3,}) (?:§ ?|section )?[0-9]+[.)§;,]|\b([A-Z]{3,}),? §`)
)

// missingCitations returns the documents that a comment cites but that do not exist. names holds the base names of those that do.
func missingCitations(comment string, names map[string]bool) (missing []string) {
	for _, page := range citedPage.FindAllString(comment, -1) {
		if !names[filepath.Base(page)] {
			missing = append(missing, page)
		}
	}
	for _, m := range citedSection.FindAllStringSubmatch(comment, -1) {
		if name := m[1] + m[2]; !slices.Contains(standards, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// TestComments checks that each document that a comment cites is in the repository, or is a standard.
func TestComments(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for path := range pages(t) {
		names[filepath.Base(path)] = true
	}
	for comment, want := range map[string]string{
		"(DESIGN 4.4).": "DESIGN", "by DESIGN §5": "DESIGN", "see NOTES.md §2": "NOTES.md", "in plan/CASES.md": "plan/CASES.md",
		"AWS.md §4, RFC 9110 §5.1, YAML 1.2 §7.1, (MQTT 5.0), SigV4 §4.1": "", "HTTP 404": "", "POST 3 times": "",
	} {
		if got := strings.Join(missingCitations(comment, names), " "); got != want {
			t.Errorf("%q: %q, want %q", comment, got, want)
		}
	}
	files, comments := token.NewFileSet(), 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, group := range file.Comments {
			comments++
			for _, name := range missingCitations(group.Text(), names) {
				t.Errorf("%s cites %s, which is not in the repository", files.Position(group.Pos()), name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if comments < 1000 {
		t.Errorf("only %d comments were read", comments)
	}
}

// TestReadme checks that the README stays short, and that its configurations and JSON are valid.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme := pages(t)["../../README.md"]
	if lines := strings.Count(readme, "\n"); lines > 250 {
		t.Errorf("README.md has %d lines, the limit is 250; details belong beside the code that they describe", lines)
	}
	configurations, policies := 0, 0
	for _, block := range blockPattern.FindAllStringSubmatch(readme, -1) {
		switch kind, text := block[1], block[2]; kind {
		case "yaml":
			configurations++
			file := gatetest.WriteFile(t, t.TempDir(), "jobgate.yaml", text)
			if r := jobgate(t, "", testAWS, "check", "--config", file); r.code != 0 {
				t.Errorf("%s%s", text, r.err)
			}
		case "json":
			policies++
			if !json.Valid([]byte(text)) {
				t.Errorf("not JSON: %s", text)
			}
		}
	}
	if configurations != 4 || policies < 4 {
		t.Errorf("README.md has %d configurations and %d JSON blocks, want 4 and at least 4", configurations, policies)
	}
}
