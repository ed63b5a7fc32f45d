extension PropertyPath {
    /// Reads a dotted path: `.` separates, `$` stands for each element of an array, `\.` is a dot in a name, `\$` a name
    /// that is a dollar sign, `\\` a backslash. Every text is a path.
    ///
    /// Inside a query's quotes backslashes are escaped once more: `property('a\\.b')` (spec: engage §3.1).
    public init(text: String) {
        var components: [Component] = []
        var key = String.UnicodeScalarView()
        var isEscaped = false
        var isPlain = true
        func component() -> Component { isPlain && String(key) == "$" ? .elements : .key(String(key)) }
        for scalar in text.unicodeScalars {
            if isEscaped {
                if scalar != ".", scalar != "$", scalar != "\\" { key.append("\\") }
                key.append(scalar)
                isEscaped = false
                isPlain = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "." {
                components.append(component())
                key = String.UnicodeScalarView()
                isPlain = true
            } else {
                key.append(scalar)
            }
        }
        if isEscaped { key.append("\\") }
        components.append(component())
        self.init(components)
    }

    /// The dotted path; `PropertyPath(text: path.text) == path` for every path that has components.
    public var text: String {
        components.map { component in
            switch component {
            case .elements: return "$"
            case .key("$"): return "\\$"
            case .key(let key):
                var text = String.UnicodeScalarView()
                for scalar in key.unicodeScalars {
                    if scalar == "." || scalar == "\\" { text.append("\\") }
                    text.append(scalar)
                }
                return String(text)
            }
        }.joined(separator: ".")
    }

    /// The name the path begins with, for example the key of a trait; `nil` for a path that begins with `$`.
    public var firstKey: String? {
        if case .key(let key)? = components.first { key } else { nil }
    }
}
