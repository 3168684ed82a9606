package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/configured"
	"jobgate/cmd/jobgate/logs"
	"jobgate/gateway"
)

// reload loads the configuration again and applies it, all or nothing: on an error the running one stays.
// It logs what happened. Safe for concurrent use.
func (p *process) reload() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.swap()
	p.metrics.ReloadResult(err == nil)
	if err != nil {
		p.log.Error("cannot reload the configuration; still running with the old one", "error", err)
		return err
	}
	logs.Warnings(p.log, p.loaded.Warnings)
	p.log.Info("configuration reloaded", "routes", len(p.loaded.Routes), "roles", len(p.loaded.Roles))
	return nil
}

// swap does reload's work. Nothing changes before server.Swap.
func (p *process) swap() error {
	loaded, err := config.Load(p.options)
	if err != nil {
		return err
	}
	if settings := config.NeedRestart(&p.loaded.Config, &loaded.Config); len(settings) > 0 {
		return fmt.Errorf("cannot reload: %s changed, which needs a restart; nothing was changed", strings.Join(settings, ", "))
	}
	keys, _, err := accessKeys(&loaded.Config)
	if err != nil {
		return err
	}
	made, err := p.wire(&loaded.Config, p.parts.roles)
	if err != nil {
		return err
	}
	if cacheRules := configured.Documents(&loaded.Config); cacheRules != configured.Documents(&p.loaded.Config) {
		if err := gateway.ResetDocuments(p.documents, cacheRules); err != nil {
			made.close()
			made.handler.Close()
			return err
		}
	}
	made.roles.Start(context.Background())
	p.metrics.Watch(made.roles, p.documents)
	logs.SetLevel(p.level, loaded.Log)
	if p.verifier != nil && p.madeKey == nil {
		p.verifier.SetKeys(keys)
	}
	before := p.parts
	if p.jobs != nil {
		if err := p.jobs.audit.reopen(); err != nil { // lines still go to the old file
			p.log.Error("cannot reopen the audit file", "error", err)
		}
	}
	p.enforce(made)
	p.server.Swap(made.handler)
	p.parts, p.loaded = made, loaded
	time.AfterFunc(oldRequests, before.close)
	return nil
}

// watchEvery is how often the files are checked. Kubernetes takes longer to bring a changed ConfigMap to the node.
const watchEvery = 2 * time.Second

// watched lists the files whose change triggers a reload.
func (p *process) watched() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var files []string
	names := []string{p.options.Path, p.loaded.SidecarTokenFile, p.loaded.Jobs.AccessKeysFile}
	for _, name := range p.loaded.CodeSign.Names() {
		names = append(names, p.loaded.CodeSign.Profiles[name].KeyFile)
	}
	for _, name := range names {
		if name != "" {
			files = append(files, name)
		}
	}
	return files
}

// watchFiles calls changed when a file was written or replaced, also when a symbolic link points elsewhere (a ConfigMap).
// It waits until the files have not changed for one interval, so that it never reads a half-written file.
func watchFiles(ctx context.Context, files func() []string, changed func()) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	known := look(files())
	last := known
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := look(files())
		if still := same(now, last); still && !same(now, known) {
			known = now
			changed()
		}
		last = now
	}
}

// look reads what distinguishes versions of files: identity, time and size.
func look(files []string) map[string]os.FileInfo {
	seen := make(map[string]os.FileInfo, len(files))
	for _, name := range files {
		info, err := os.Stat(name)
		if err == nil { // otherwise it is being replaced, or was removed
			seen[name] = info
		}
	}
	return seen
}

func same(a, b map[string]os.FileInfo) bool {
	if len(a) != len(b) {
		return false
	}
	for name, x := range a {
		y, ok := b[name]
		if !ok || !os.SameFile(x, y) || !x.ModTime().Equal(y.ModTime()) || x.Size() != y.Size() {
			return false
		}
	}
	return true
}
