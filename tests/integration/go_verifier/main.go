// Checks what `eve-proxy prove` made with Go's own transparency log packages, which know nothing of eve-proxy.
//
//	go_verifier VKEY PROOF [OLD_CHECKPOINT]
//
// Ends with 0 and one line when the proof holds, else with 1.
package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func fail(err error) {
	fmt.Println(err)
	os.Exit(1)
}

func hash(text string) tlog.Hash {
	h, err := tlog.ParseHash(text)
	if err != nil {
		fail(err)
	}
	return h
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		fail(err)
	}
	return n
}

// open verifies a checkpoint's signature and reads its size and root.
func open(vkey string, data string) (int64, tlog.Hash) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		fail(err)
	}
	opened, err := note.Open([]byte(data), note.VerifierList(verifier))
	if err != nil {
		fail(err)
	}
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		fail(fmt.Errorf("the checkpoint is of %s", lines[0]))
	}
	return number(lines[1]), hash(lines[2])
}

func main() {
	vkey := os.Args[1]
	data, err := os.ReadFile(os.Args[2])
	if err != nil {
		fail(err)
	}
	head, checkpoint, _ := strings.Cut(string(data), "\n\n")
	size, root := open(vkey, checkpoint)
	lines := strings.Split(head, "\n")
	if lines[0] == "c2sp.org/tlog-proof@v1" {
		line, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
		if err != nil {
			fail(err)
		}
		index := number(strings.TrimPrefix(lines[2], "index "))
		proof := tlog.RecordProof{}
		for _, text := range lines[3:] {
			proof = append(proof, hash(text))
		}
		if err := tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(line)); err != nil {
			fail(err)
		}
		fmt.Printf("record %d is in the tree of %d\n", index, size)
		return
	}
	old, err := os.ReadFile(os.Args[3])
	if err != nil {
		fail(err)
	}
	oldSize, oldRoot := open(vkey, string(old))
	proof := tlog.TreeProof{}
	for _, text := range lines[1:] {
		proof = append(proof, hash(text))
	}
	if err := tlog.CheckTree(proof, size, root, oldSize, oldRoot); err != nil {
		fail(err)
	}
	fmt.Printf("the tree of %d begins with the tree of %d\n", size, oldSize)
}
