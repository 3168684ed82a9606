package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/configured"
	"jobgate/cmd/jobgate/logs"
	"jobgate/gateway"
)

// reload loads the configuration again and applies it as a whole. On an error the running one stays in use.
// It logs the result. It is safe for concurrent use.
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

// swap loads and applies the configuration. It returns errors before it changes anything but the document cache.
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
	if p.verifier != nil && p.generatedKey == nil {
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

// watched lists the files whose change triggers a reload.
func (p *process) watched() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	files := []string{p.options.Path, p.loaded.SidecarTokenFile, p.loaded.Jobs.AccessKeysFile}
	for _, name := range p.loaded.CodeSign.Names() {
		files = append(files, p.loaded.CodeSign.Profiles[name].KeyFile)
	}
	return files
}
