package console

import "regexp"

// A kernel that runs into a breakpoint which nobody set prints (older ones without "Oops: "):
//
//	Oops: int3: 0000 [#1] PREEMPT SMP NOPTI
//	CPU: 0 PID: 1078 Comm: ping Not tainted 6.12.0
//	RIP: 0010:netif_rx_internal+0x2a/0x140
//	Code: 48 89 44 24 18 31 c0 e9 <c9> 00 00 00 66 90
//
// The code is what memory holds now, with the byte at RIP in brackets. The breakpoint is the byte before it.
var (
	int3Text = regexp.MustCompile(`^(?:Oops: )?int3: [0-9a-f]{4} \[#\d+\]`)
	codeText = regexp.MustCompile(`^Code: .*\b([0-9a-f]{2}) <[0-9a-f]{2}>`)
)

// int3Opcode is the breakpoint instruction.
const int3Opcode = "cc"

// int3Reader finds, line by line, the oops about a breakpoint that is not in the kernel's code: the processor ran an
// instruction that was no longer there. The kernel does put breakpoints into its code for a moment, where it patches it
// (text_poke_bp in arch/x86/kernel/alternative.c).
type int3Reader struct {
	oops string // the first line of one whose code has not come
}

// read takes the next line. It returns the oops's first line once the code shows that there is no breakpoint, or "".
func (r *int3Reader) read(line Line) string {
	_, text, ok := line.message()
	if !ok {
		return ""
	}
	if int3Text.MatchString(text) {
		r.oops = line.Text
		return ""
	}
	code := codeText.FindStringSubmatch(text)
	if code == nil {
		return ""
	}
	oops := r.oops
	r.oops = ""
	if code[1] == int3Opcode {
		return "" // a real one, such as the compiler puts where no code must run
	}
	return oops
}
