"""What a reader sees of a view: the words of a page without its markup, for tests that judge what is said."""

from html.parser import HTMLParser

from markdown_it import MarkdownIt


class Seen(HTMLParser):
    """Collects the elements, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def seen(page: str) -> Seen:
    parser = Seen()
    parser.feed(page)
    parser.close()
    return parser


def words_of(page: str) -> str:
    """Return the text of an HTML page, title and styles included, on one line."""
    return " ".join(" ".join(seen(page).text).split())


def shown_words(views: dict[str, bytes]) -> dict[str, str]:
    """Return what each view shows, on one line: of the page its body, of Markdown what it renders to."""
    page, markdown, text = (views[f"package.{kind}"].decode() for kind in ("html", "md", "txt"))
    return {
        "html": words_of(page[page.index("<body>") :]),
        "markdown": words_of(MarkdownIt("commonmark").enable("table").render(markdown)),
        "text": " ".join(text.split()),
    }
