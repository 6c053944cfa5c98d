"""The two files every exported repository begins with."""

README = """# Prompts

One file for each prompt: YAML front matter, then its text. The messages of a chat stand under headings `# [system]`,
`# [user]`, `# [assistant]`; a line of a message that looks like one has a backslash in front.

- Each commit of a file is a version of the prompt; its last line says which.
- Tags say what is live: `git show support/answer@production:support/answer.md`. They move, so fetch them with
  `git fetch origin '+refs/tags/*:refs/tags/*'`.
- Edit a file, commit, and import: the commit becomes the next version, with its author and message. Publishing stays in
  the console.
"""
# Line ends are part of a prompt: no checkout may change them.
ATTRIBUTES = "*.md -text\n"
FILES = {".gitattributes": ATTRIBUTES, "README.md": README}
