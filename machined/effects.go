package main

import "github.com/coracle-os/coracle/machined/effect"

// effects are how a changed config takes effect on a running machine, in order. A field that none of them names takes
// effect at the next boot.
var effects = []effect.Effect[*daemon]{
	{Name: effectInstall, Fields: []string{"machine.install"}, Run: (*daemon).takeInstall},
	{Name: "name", Fields: []string{"machine.name"}, Run: (*daemon).setName},
	{Name: "network", Fields: []string{"machine.network", "machine.name"}, Run: (*daemon).configureNetwork},
	{Name: "kernel", Fields: []string{"machine.modules", "machine.sysctls"}, Run: (*daemon).setUpKernel},
	{Name: "API", Fields: []string{"machine.api"}, Run: (*daemon).serveAPI},
	{Name: "time", Fields: []string{"machine.time"}, Run: (*daemon).startTime},
	{Name: "logs", Fields: []string{"machine.logs"}, Run: (*daemon).sendLogs},
	{Name: "watchdog", Fields: []string{"machine.watchdog"}, Run: (*daemon).configureWatchdog},
	{Name: "upgrades", Fields: []string{"machine.upgrade"}, Run: (*daemon).takeUpgradeConfig},
	{Name: "safe mode", Fields: []string{"machine.safeMode"}, Run: (*daemon).countBoot},
	{Name: "Kubernetes", Fields: []string{
		"machine.role", "machine.name", "machine.api.port", "machine.labels", "machine.taints", "machine.registries", "machine.network.proxy", "cluster",
	}, Run: (*daemon).startKube},
}

// effectInstall is the name of the effect that has the machine installed.
const effectInstall = "install"

// allFields is a change that concerns every effect.
var allFields = []string{"machine", "cluster"}
