printf '%s\n' '{% for message in messages %}' '{{ message.content }}' '{% end for %}' > models/chat.jinja
