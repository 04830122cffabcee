# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""What a comparison has found, as text, as Markdown, and kept in a file."""

import dataclasses
import json


@dataclasses.dataclass
class Table:
    title: str
    columns: list
    rows: list = dataclasses.field(default_factory=list)

    def text(self):
        lines = [self.columns] + self.rows
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        lines.insert(1, ["-" * width for width in widths])
        return "\n".join([self.title, ""] + ["  ".join(
            cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines])

    def markdown(self):
        lines = [self.columns, ["---"] * len(self.columns)] + self.rows
        return "\n".join([f"{self.title}:", ""] + ["| " + " | ".join(
            cell.replace("|", "\\|") for cell in line) + " |" for line in lines])


@dataclasses.dataclass
class Report:
    title: str
    text: str
    tables: list = dataclasses.field(default_factory=list)
    worse: list = dataclasses.field(default_factory=list)  # what got worse, a line each

    def table(self, title, *columns):
        table = Table(title, list(columns))
        self.tables.append(table)
        return table.rows

    def verdict(self):
        if not self.worse:
            return ["Nothing got worse."]
        return ["Worse:", ""] + [f"* {line}" for line in self.worse]

    def print_text(self):
        for table in self.tables:
            if table.rows:
                print(table.text() + "\n")
        print("\n".join(self.verdict()), flush=True)

    def markdown(self):
        parts = [f"## {self.title}", self.text]
        parts += [table.markdown() for table in self.tables if table.rows]
        parts.append("\n".join(self.verdict()))
        return "\n\n".join(parts) + "\n"

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(dataclasses.asdict(self), file, indent=1)

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        content["tables"] = [Table(**table) for table in content["tables"]]
        return cls(**content)
