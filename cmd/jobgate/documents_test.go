package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are the documents of the repository, by path from here.
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

// anchors are the names by which links reach the headings of a page.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, h := range headingPattern.FindAllStringSubmatch(page, -1) {
		all[strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return all
}

// TestLinks: what a document points to is there.
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
				t.Errorf("%s: %s leads nowhere", path, l[1])
			} else if anchor != "" && !anchors(all[file])[anchor] {
				t.Errorf("%s: %s: there is no such heading", path, l[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links were found", links)
	}
}

// TestFrontDoor: the README stays short, and what it shows is accepted.
func TestFrontDoor(t *testing.T) {
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
			file := writeFile(t, t.TempDir(), "jobgate.yaml", text)
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
		t.Errorf("%d configurations and %d pieces of JSON", configurations, policies)
	}
}
