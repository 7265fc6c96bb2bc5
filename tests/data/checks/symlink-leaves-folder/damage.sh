mkdir models/coder elsewhere
ln -s ../../elsewhere models/coder/1_Pooling
