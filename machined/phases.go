package main

import "github.com/coracle-os/coracle/machined/sequence"

// phases are the start of a machine. A phase that fails does not keep later ones from running: whatever is wrong, the
// machine should be reachable and say so.
var phases = []sequence.Phase[*daemon]{
	{Name: "prefetch", Run: (*daemon).prefetchPrograms},
	{Name: "clock", Run: (*daemon).raiseClock},
	{Name: "modules", Run: (*daemon).loadModules},
	{Name: "hardware", Run: (*daemon).lookAtHardware},
	{Name: "storage", Run: (*daemon).prepareStorage},
	{Name: "media", Run: (*daemon).mountMedia},
	{Name: "identity of a copy", After: []string{"storage"}, Run: (*daemon).leaveIdentity},
	{Name: "identity", After: []string{"identity of a copy"}, Run: (*daemon).identify},
	{Name: "upgrade", After: []string{"storage"}, Run: (*daemon).recoverUpdate},
	{Name: "staged config", After: []string{"storage"}, Run: (*daemon).takeStaged},
	{Name: "config", After: []string{"staged config", "media"}, Run: (*daemon).findConfig},
	{Name: "name", After: []string{"identity", "config"}, Run: (*daemon).setName},
	{Name: "network", After: []string{"name"}, Run: (*daemon).startNetwork},
	{Name: "kernel", After: []string{"modules", "config"}, Run: (*daemon).setUpKernel},
	{Name: "api", After: []string{"identity", "config"}, Run: (*daemon).serveAPI},
	{Name: "saved clock", After: []string{"clock", "storage"}, Run: (*daemon).raiseSavedClock},
	{Name: "time", After: []string{"saved clock", "config"}, Run: (*daemon).startTime},
	{Name: "logs", After: []string{"config"}, Run: (*daemon).sendLogs},
	{Name: "watchdog", After: []string{"config"}, Run: (*daemon).configureWatchdog},
	{Name: "install", After: []string{"identity", "config", "upgrade"}, Run: (*daemon).prepareInstall},
	{Name: "boots", After: []string{"config", "upgrade"}, Run: (*daemon).countBoot},
	// Not after network or time: kube waits for an address itself, and for the time not at all.
	{Name: "kube", After: []string{"saved clock", "media", "name", "kernel", "upgrade", "install", "boots"}, Run: (*daemon).startKube},
}
