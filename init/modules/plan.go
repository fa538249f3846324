package modules

import "slices"

// step is one module to load. after are the steps, all of them earlier ones, that must be over first. An optional one is
// only there because of soft dependencies: what would like to have it does without when it cannot be loaded.
type step struct {
	name     string
	path     string
	after    []int
	optional bool
}

// resolver finds the modules that aliases stand for.
type resolver func(aliases []string) (map[string][]string, error)

// plan is the order in which to load the named modules or aliases with all that they need. unknown
// are the names that nothing is known about.
func plan(ix index, names []string, resolve resolver) (steps []step, unknown []string, err error) {
	aliases, err := resolveAll(ix, names, resolve)
	if err != nil {
		return nil, nil, err
	}
	p := planner{index: ix, aliases: aliases, seen: make(map[string]int)}
	for _, name := range names {
		if !ix.knows(name) && len(aliases[name]) == 0 {
			unknown = append(unknown, name)
		}
		p.visit(name, nil, false)
	}
	return p.steps, unknown, nil
}

// resolveAll resolves every alias among names and among the soft dependencies of what they lead to.
// modules.alias is read once for each round, and there are two or three rounds.
func resolveAll(ix index, names []string, resolve resolver) (map[string][]string, error) {
	aliases := make(map[string][]string)
	seen := make(map[string]bool)
	for pending := names; len(pending) > 0; {
		var unresolved []string
		for len(pending) > 0 {
			name := pending[0]
			pending = pending[1:]
			if seen[name] {
				continue
			}
			seen[name] = true
			if !ix.knows(name) {
				unresolved = append(unresolved, name)
				continue
			}
			module := moduleName(name)
			pending = slices.Concat(pending, ix.needs[module], ix.pre[module], ix.post[module])
		}
		if len(unresolved) == 0 {
			break
		}
		found, err := resolve(unresolved)
		if err != nil {
			return nil, err
		}
		for alias, modules := range found {
			aliases[alias] = modules
			pending = append(pending, modules...)
		}
	}
	return aliases, nil
}

type planner struct {
	index
	aliases map[string][]string
	steps   []step
	seen    map[string]int // a module's step, or -1 while it has none yet
}

// visit appends the steps for a module or alias and returns the steps that load it. Soft
// dependencies may run in circles; one that leads back to a module on its own way is dropped.
func (p *planner) visit(name string, after []int, optional bool) []int {
	if !p.knows(name) {
		var all []int
		for _, module := range p.aliases[name] {
			if p.knows(module) {
				all = append(all, p.visit(module, after, optional)...)
			}
		}
		return all
	}
	name = moduleName(name)
	if i, ok := p.seen[name]; ok {
		if i < 0 {
			return nil
		}
		if p.steps[i].optional && !optional {
			p.steps[i].optional = false
			for _, n := range p.needs[name] {
				p.visit(n, nil, false)
			}
		}
		return []int{i}
	}
	p.seen[name] = -1
	after = slices.Clone(after)
	for _, n := range p.pre[name] {
		after = append(after, p.visit(n, nil, true)...)
	}
	for _, n := range p.needs[name] {
		after = append(after, p.visit(n, nil, optional)...)
	}
	file, ok := p.path[name]
	if !ok {
		return after // Built in: what waits for it waits for what it asks for.
	}
	self := len(p.steps)
	p.seen[name] = self
	slices.Sort(after)
	p.steps = append(p.steps, step{name, file, slices.Compact(after), optional})
	for _, n := range p.post[name] {
		p.visit(n, []int{self}, true)
	}
	return []int{self}
}
