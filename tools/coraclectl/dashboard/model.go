package dashboard

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/coracle-os/coracle/machined/api/machinepb"
)

// services are those whose logs are shown, in the order of the key l.
var services = []string{"kube", "machined", "kernel"}

// The messages that change the model.
type (
	statusMsg struct {
		machine int
		status  *machinepb.Status
		err     error
	}
	linesMsg struct {
		log   *log // that they are of
		lines []string
		err   error
		next  <-chan linesMsg
	}
	tickMsg time.Time
)

// row is what is known of a machine.
type row struct {
	Machine
	status *machinepb.Status // nil: it has not answered yet
	err    error             // why nothing is heard of it now
	heard  time.Time         // when status came
}

// log is one that is followed.
type log struct {
	service string
	lines   []string
	err     error
	ended   bool
	stop    context.CancelFunc
}

// model is the state of the UI.
type model struct {
	ctx           context.Context
	color         bool
	rows          []row
	selected      int
	detail        bool // of the selected machine, with a log
	log           *log
	width, height int
	now           time.Time
}

func newModel(ctx context.Context, machines []Machine, color bool) *model {
	m := &model{ctx: ctx, color: color, width: 80, height: 24, now: time.Now()}
	for _, machine := range machines {
		m.rows = append(m.rows, row{Machine: machine})
	}
	return m
}

// tick keeps ages up to date.
func tick() tea.Cmd { return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tickMsg(t) }) }

// Init begins to count time.
func (m *model) Init() tea.Cmd { return tick() }

// Update takes a message.
func (m *model) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = message.Width, message.Height
	case tickMsg:
		m.now = time.Time(message)
		return m, tick()
	case statusMsg:
		r := &m.rows[message.machine]
		if r.err = message.err; message.status != nil {
			r.status, r.heard = message.status, m.now
		}
	case linesMsg:
		if message.log != m.log { // of one that is not shown any more
			return m, nil
		}
		m.log.lines = append(m.log.lines, message.lines...)
		m.log.lines = m.log.lines[max(0, len(m.log.lines)-maxLines):]
		m.log.err, m.log.ended = message.err, message.lines == nil
		return m, receive(message.next)
	case tea.KeyPressMsg:
		return m.key(message.String())
	}
	return m, nil
}

func (m *model) key(key string) (tea.Model, tea.Cmd) {
	switch key {
	case "q", "ctrl+c":
		m.stopLog()
		return m, tea.Quit
	case "up", "k":
		return m.choose(m.selected - 1)
	case "down", "j", "tab":
		return m.choose(m.selected + 1)
	case "enter":
		m.detail = true
		return m, m.startLog(services[0])
	case "esc":
		m.detail = false
		m.stopLog()
	case "l":
		if m.detail && m.log != nil {
			for i, service := range services {
				if service == m.log.service {
					return m, m.startLog(services[(i+1)%len(services)])
				}
			}
		}
	}
	return m, nil
}

// choose selects a machine, round and round.
func (m *model) choose(n int) (tea.Model, tea.Cmd) {
	m.selected = (n + len(m.rows)) % len(m.rows)
	if m.detail {
		return m, m.startLog(m.log.service)
	}
	return m, nil
}

func (m *model) stopLog() {
	if m.log != nil {
		m.log.stop()
		m.log = nil
	}
}

// startLog follows a log of the selected machine in the place of the one that was.
func (m *model) startLog(service string) tea.Cmd {
	m.stopLog()
	ctx, cancel := context.WithCancel(m.ctx)
	l := &log{service: service, stop: cancel}
	m.log = l
	machine := m.rows[m.selected].Machine
	lines := make(chan linesMsg)
	go func() {
		defer close(lines)
		follow(ctx, machine, service, func(text []string, err error) {
			select {
			case lines <- linesMsg{l, text, err, lines}:
			case <-ctx.Done():
			}
		})
	}()
	return receive(lines)
}

// receive waits for the next lines.
func receive(lines <-chan linesMsg) tea.Cmd {
	return func() tea.Msg {
		message, ok := <-lines
		if !ok {
			return nil
		}
		return message
	}
}

// View draws the screen.
func (m *model) View() tea.View {
	v := tea.NewView(m.draw())
	v.AltScreen = true
	v.WindowTitle = "coraclectl dashboard"
	return v
}
