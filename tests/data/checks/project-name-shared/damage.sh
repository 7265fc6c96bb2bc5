mkdir chat
