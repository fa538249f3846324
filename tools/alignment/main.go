// Command alignment looks for what ends a program on 32-bit ARM: an atomic operation on a 64-bit field that is not at a multiple of 8 bytes
// (sync/atomic, section Bugs). The types atomic.Int64 and atomic.Uint64 are aligned by the compiler; it is about functions such as AddInt64.
//
//	GOARCH=arm alignment -test=false PACKAGE...    exit code 3 if there is any
//
// The pass atomicalign of golang.org/x/tools does not see fields that are reached through a pointer, as most are. Not seen here either are
// elements of arrays and slices, and addresses that are kept in a variable first.
package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/singlechecker"
)

var analyzer = &analysis.Analyzer{Name: "alignment", Doc: "report 64-bit atomic operations on fields that are not aligned", Run: run}

func main() { singlechecker.Main(analyzer) }

func run(pass *analysis.Pass) (any, error) {
	for _, file := range pass.Files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !isAtomic64(pass.TypesInfo, call) {
				return true
			}
			address, ok := call.Args[0].(*ast.UnaryExpr)
			if !ok || address.Op != token.AND {
				return true
			}
			field, ok := address.X.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if offset := offsetOf(pass, field); offset%8 != 0 {
				pass.Reportf(call.Pos(), "%s of %s, which is at byte %d", types.ExprString(call.Fun), types.ExprString(field), offset)
			}
			return true
		})
	}
	return nil, nil
}

// isAtomic64 is whether a call is of one of sync/atomic's functions for 64 bits.
func isAtomic64(info *types.Info, call *ast.CallExpr) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return false
	}
	function, ok := info.Uses[selector.Sel].(*types.Func)
	return ok && function.Pkg() != nil && function.Pkg().Path() == "sync/atomic" && function.Signature().Recv() == nil && strings.HasSuffix(function.Name(), "64")
}

// offsetOf is how many bytes a field is behind the start of what is allocated: the struct that the last pointer on the way to it leads to.
func offsetOf(pass *analysis.Pass, field *ast.SelectorExpr) int64 {
	selection := pass.TypesInfo.Selections[field]
	if selection == nil { // a variable of another package
		return 0
	}
	var offset int64
	if outer, ok := ast.Unparen(field.X).(*ast.SelectorExpr); ok {
		offset = offsetOf(pass, outer)
	}
	t := selection.Recv()
	for _, i := range selection.Index() {
		if pointer, ok := t.Underlying().(*types.Pointer); ok {
			t, offset = pointer.Elem(), 0
		}
		of, ok := t.Underlying().(*types.Struct)
		if !ok {
			return 0 // of a type parameter
		}
		fields := make([]*types.Var, 0, i+1)
		for j := range i + 1 {
			fields = append(fields, of.Field(j))
		}
		offset += pass.TypesSizes.Offsetsof(fields)[i]
		t = of.Field(i).Type()
	}
	return offset
}
